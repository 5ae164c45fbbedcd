import CThreads
import Glibc

/// Wakes threads that are blocked in poll(2). Once raised it stays raised until it is lowered.
public final class WakeUp: Sendable {
  /// Can be read while it is raised; for poll(2) with others.
  public let descriptor: Int32

  /// Not raised. For those of which a program has a handful.
  public convenience init() {
    guard let owned = WakeUp.makeDescriptor() else {
      preconditionFailure("eventfd(2) fails only when descriptors run out")
    }
    self.init(owning: owned)
  }

  /// Not raised; nil when descriptors have run out.
  public static func makeIfPossible() -> WakeUp? { makeDescriptor().map(WakeUp.init(owning:)) }

  private init(owning descriptor: Int32) { self.descriptor = descriptor }

  private static func makeDescriptor() -> Int32? {
    let descriptor = leafcutter_eventfd()
    return descriptor >= 0 ? descriptor : nil
  }

  deinit { close(descriptor) }

  /// Wakes whoever waits, now or later.
  public func raise() {
    var one: UInt64 = 1
    // eventfd(2) takes and gives eight bytes. EAGAIN can only mean that it is raised already.
    _ = unsafe write(descriptor, &one, 8)
  }

  /// Undoes ``raise()``.
  public func lower() {
    var value: UInt64 = 0
    // As above; EAGAIN means that it was not raised.
    _ = unsafe read(descriptor, &value, 8)
  }

  /// Blocks until it is raised; false when the time was over before.
  @discardableResult
  public func wait(for timeout: Duration? = nil) -> Bool {
    waitReadable(descriptor, or: nil, for: timeout) == .ready
  }
}

/// Why a wait came to its end.
public enum Waited: Equatable, Sendable {
  /// The descriptor can be used, or has ended.
  case ready
  /// The wake-up was raised.
  case woken
  /// Neither came in time.
  case timedOut
}

/// Blocks until `descriptor` has any of `events`, `wakeUp` is raised, or the time is over.
public func wait(
  _ descriptor: Int32, _ events: Int32, or wakeUp: WakeUp?, for timeout: Duration? = nil
) -> Waited {
  let deadline = timeout.map { ContinuousClock.now + $0 }
  while true {
    var items = [
      pollfd(fd: descriptor, events: Int16(events), revents: 0),
      pollfd(fd: wakeUp?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    let left = deadline.map { ContinuousClock.now.duration(to: $0) }
    // Rounded up, so that the wait never ends early.
    let milliseconds = left.map { max(0, Int32(clamping: Int($0 / .milliseconds(1)) + 1)) } ?? -1
    // Two elements, alive during the call.
    let count = unsafe poll(&items, 2, milliseconds)
    if items[1].revents != 0 { return .woken }
    if items[0].revents != 0 { return .ready }
    if count == 0, let left, left <= .zero { return .timedOut }
  }
}

/// Blocks until `descriptor` can be read or has ended; see ``wait(_:_:or:for:)``.
public func waitReadable(
  _ descriptor: Int32, or wakeUp: WakeUp?, for timeout: Duration? = nil
) -> Waited {
  wait(descriptor, POLLIN, or: wakeUp, for: timeout)
}
