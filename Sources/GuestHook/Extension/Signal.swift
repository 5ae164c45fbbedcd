import CExtensionShims
import Glibc
import Synchronization

/// A fact that becomes true once, and that threads can wait for.
final class Signal: Sendable {
  /// Becomes readable. −1 where the program has no descriptor to spare: then ``wait(milliseconds:)`` looks
  /// again and again.
  let descriptor: Int32
  private let raised = Atomic(false)
  /// Between two looks, in milliseconds.
  private static let pollInterval: Int32 = 5

  /// - Parameter descriptor: an eventfd(2), taken over; or none.
  init(descriptor: Int32 = leafcutter_extension_eventfd()) { self.descriptor = descriptor }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func raise() {
    raised.store(true, ordering: .releasing)
    guard descriptor >= 0 else { return }
    var one: UInt64 = 1
    // eventfd(2) takes eight bytes. EAGAIN can only mean that it is raised already.
    _ = unsafe write(descriptor, &one, 8)
  }

  var isRaised: Bool { raised.load(ordering: .acquiring) }

  /// Waits until it is raised, at most that long (-1: for ever).
  @discardableResult
  func wait(milliseconds: Int32 = -1) -> Bool {
    if descriptor >= 0 { return waitReadable([descriptor], milliseconds: milliseconds) }
    var left = milliseconds
    while !isRaised, left != 0 {
      let pause = left < 0 ? Signal.pollInterval : min(left, Signal.pollInterval)
      usleep(UInt32(pause) * 1000)
      if left > 0 { left -= pause }
    }
    return isRaised
  }
}

extension Signal {
  /// Waits until one of the signals is raised, or the descriptor can be read or has ended.
  static func wait(for signals: [Signal], or descriptor: Int32? = nil) {
    let descriptors = signals.map(\.descriptor) + (descriptor.map { [$0] } ?? [])
    // poll(2) passes a negative one by.
    let interval = signals.allSatisfy { $0.descriptor >= 0 } ? -1 : pollInterval
    while !signals.contains(where: \.isRaised) {
      if waitReadable(descriptors, milliseconds: interval) { return }
    }
  }
}

/// Waits until one of the descriptors can be read or has ended; false when the time was over before.
func waitReadable(_ descriptors: [Int32], milliseconds: Int32) -> Bool {
  let deadline = monotonicNanoseconds() + UInt64(max(0, milliseconds)) * 1_000_000
  while true {
    var items = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let now = monotonicNanoseconds()
    let left = deadline > now ? Int32((deadline - now + 999_999) / 1_000_000) : 0
    // As many elements as are promised, alive during the call.
    let count = unsafe poll(&items, nfds_t(items.count), milliseconds < 0 ? -1 : left)
    if count > 0 { return true }
    if count == 0 { return false }
  }
}
