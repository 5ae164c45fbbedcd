import Glibc

/// An open file that is closed with the last reference to it.
final class Descriptor: Sendable {
  let number: Int32

  init(owning number: Int32) { self.number = number }

  /// Opens a file without blocking, close-on-exec. A symbolic link at its end is followed unless `flags` has
  /// O_NOFOLLOW.
  ///
  /// - Throws: ``SystemError``.
  init(opening path: String, _ flags: Int32 = O_RDONLY) throws(SystemError) {
    // The path is alive during the call.
    number = unsafe open(path, flags | O_CLOEXEC | O_NONBLOCK)
    if number < 0 { throw SystemError("open \(path)") }
  }

  deinit { close(number) }

  /// Whether poll(2) says that any of `events` is so now; POLLHUP and POLLERR always count.
  func isReady(_ events: Int32 = POLLIN) -> Bool {
    var item = pollfd(fd: number, events: Int16(events), revents: 0)
    // One element, alive during the call.
    return unsafe poll(&item, 1, 0) > 0
  }
}
