import CGuestSystem
import Glibc

/// Wakes a thread that is blocked in poll(2). Once raised it stays raised until it is lowered.
final class WakeUp: Sendable {
  let descriptor: Int32

  init() {
    descriptor = leafcutter_guest_eventfd()
    precondition(descriptor >= 0, "eventfd(2) fails only when descriptors run out")
  }

  deinit { close(descriptor) }

  func raise() {
    var one: UInt64 = 1
    // eventfd(2) takes and gives eight bytes. EAGAIN can only mean that it is raised already.
    _ = unsafe write(descriptor, &one, 8)
  }

  func lower() {
    var value: UInt64 = 0
    // As above; EAGAIN means that it was not raised.
    _ = unsafe read(descriptor, &value, 8)
  }

  /// Blocks until it is raised; false when the time was over before.
  func wait(milliseconds: Int32) -> Bool {
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // One element, alive during the call.
    return unsafe poll(&item, 1, milliseconds) > 0
  }
}
