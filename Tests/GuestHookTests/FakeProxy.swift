import CGuestSystem
import Glibc
import HookLink

@testable import Guardian

/// The other end of the hook link: a unix socket that the guardian dials, and what the proxy does
/// with it, heartbeats acknowledged.
final class FakeProxy {
  private let listener: Descriptor
  private(set) var link: LocalConnection?
  var acknowledges = true
  /// Every message of the guardian so far.
  private(set) var received: [(id: MigrationID, message: GuestMessage)] = []

  init(path: String) {
    // The path is alive during the call.
    listener = Descriptor(owning: unsafe leafcutter_guest_listen_unix(path))
  }

  /// Waits until the guardian has dialled.
  func accept() {
    for _ in 0..<500 {
      let socket = leafcutter_guest_accept(listener.number)
      if socket >= 0 {
        link = LocalConnection(Descriptor(owning: socket))
        return
      }
      usleep(10_000)
    }
  }

  func send(_ message: some Message, for id: MigrationID) { link?.send(message, for: id) }

  /// Any frame this machine can have.
  static let allMemory = MemorySegment(start: 1 << 20, length: 1 << 50)

  func prepare(
    _ id: MigrationID, postcopy: Bool = false, zeroes: Bool = false,
    segments: [MemorySegment] = [allMemory], timeoutMilliseconds: UInt32 = 20_000
  ) {
    send(
      HostMessage.Prepare(
        postcopyPossible: postcopy, zeroHeldFrames: zeroes,
        timeoutMilliseconds: timeoutMilliseconds, segments: zeroes ? [] : segments),
      for: id)
  }

  func hangUp() { link = nil }

  /// The next message that `chosen` makes something of; nil when none comes in time.
  func await<Found>(
    seconds: Double = 10, _ chosen: (GuestMessage) -> Found?
  ) -> Found? {
    let deadline = monotonicNanoseconds() + UInt64(seconds * 1e9)
    while true {
      let now = monotonicNanoseconds()
      guard now < deadline else { return nil }
      let left = Int((deadline - now) / 1_000_000)
      guard let frame = link?.awaitFrame(milliseconds: max(1, left)),
        let message = try? GuestMessage(frame)
      else { return nil }
      received.append((frame.migration, message))
      if case .heartbeat(let beat) = message, acknowledges {
        send(HostMessage.Acknowledge(sequence: beat.sequence), for: frame.migration)
      }
      if let found = chosen(message) { return found }
    }
  }

  func awaitMark() -> GuestMessage.Mark? {
    self.await { if case .mark(let mark) = $0 { mark } else { nil } }
  }

  func awaitReport(seconds: Double = 10) -> GuestMessage.ReportEnd? {
    self.await(seconds: seconds) { if case .reportEnd(let end) = $0 { end } else { nil } }
  }

  /// How many pages the next report says are held, the probes among them.
  func awaitPagesHeld() -> UInt64? {
    awaitReport().map { $0.pages + UInt64($0.probes.count) }
  }

  func awaitResumed(seconds: Double = 10) -> GuestMessage.Resumed? {
    self.await(seconds: seconds) { if case .resumed(let end) = $0 { end } else { nil } }
  }

  /// Every page of the report so far.
  var reportedPages: Set<UInt64> {
    var pages: Set<UInt64> = []
    for case .held(let held) in received.map(\.message) {
      for (index, byte) in held.bitmap.enumerated() where byte != 0 {
        for bit in 0..<8 where byte & (1 << bit) != 0 {
          pages.insert(held.firstPage + UInt64(index * 8 + bit))
        }
      }
    }
    return pages
  }
}
