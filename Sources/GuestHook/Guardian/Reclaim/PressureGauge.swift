import Glibc

/// Tells when memory is tight: little is available, or tasks have stalled for memory (PSI,
/// Documentation/accounting/psi.rst).
struct PressureGauge {
  /// 150 ms of stall within one second.
  private static let trigger = "some 150000 1000000"

  private let headroom: UInt64
  private let stalls: Descriptor?

  /// Why memory is tight.
  struct Complaint {
    var reason: String
    /// Giving a part back at a time may come too late.
    var isUrgent = false
  }

  /// - Parameter headroom: Bytes that are to stay available; tight is less than half of it, and urgent less
  ///   than a quarter.
  init(headroom: UInt64) {
    self.headroom = headroom
    guard let file = try? Descriptor(opening: "/proc/pressure/memory", O_RDWR) else {
      stalls = nil
      return
    }
    let text = Array(PressureGauge.trigger.utf8) + [0]
    // The array is alive during the call. The kernel may refuse: then there is only MemAvailable.
    let written = unsafe write(file.number, text, text.count)
    stalls = written == text.count ? file : nil
  }

  /// The kernel keeps a stall until somebody asks, and one of long ago is nobody's business.
  func forgetThePast() { _ = stalls?.isReady(POLLPRI) }

  /// Why too little is available now, or nil.
  func shortage() -> Complaint? {
    guard let now = MemoryInfo.now(), now.available < headroom / 2 else { return nil }
    return Complaint(
      reason: "\(now.available >> 20) MiB of memory are available",
      isUrgent: now.available < headroom / 4)
  }

  /// Why memory is tight now, or nil.
  func complaint() -> Complaint? {
    if let shortage = shortage() { return shortage }
    if let stalls, stalls.isReady(POLLPRI) { return Complaint(reason: "tasks wait for memory") }
    return nil
  }
}
