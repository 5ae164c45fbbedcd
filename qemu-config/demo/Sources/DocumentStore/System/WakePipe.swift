import Glibc
import Synchronization

/// Wakes a thread that is blocked in poll(2), for good.
final class WakePipe: Sendable {
  private let readEnd: Int32
  private let writeEnd: Int32
  private let raised = Atomic(false)

  init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    // Two descriptors are written to two elements.
    guard unsafe pipe(&ends) == 0 else { throw SystemError("make a pipe") }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  var isRaised: Bool { raised.load(ordering: .acquiring) }

  func raise() {
    guard !raised.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 1
    // One byte, alive during the call; an empty pipe takes it at once.
    _ = unsafe write(writeEnd, &byte, 1)
  }

  /// Returns when it is raised, `descriptor` can be read or has ended, or the time is over.
  func wait(orReadable descriptor: Int32?, milliseconds: Int32) {
    var items = [
      pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
      pollfd(fd: descriptor ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    // Two elements, alive during the call.
    _ = unsafe poll(&items, 2, milliseconds)
  }
}
