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

  public var isRaised: Bool { pollBoth((descriptor, Int16(POLLIN)), (-1, 0), for: 0).0 != 0 }

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
    let left = deadline.map { ContinuousClock.now.duration(to: $0) }
    // Rounded up, so that the wait never ends early.
    let milliseconds = left.map { max(0, Int32(clamping: Int($0 / .milliseconds(1)) + 1)) } ?? -1
    let (ready, woken) = pollBoth(
      (descriptor, Int16(events)), (wakeUp?.descriptor ?? -1, Int16(POLLIN)), for: milliseconds)
    if woken != 0 { return .woken }
    if ready != 0 { return .ready }
    if let left, left <= .zero { return .timedOut }
  }
}

/// poll(2) for two descriptors, with no allocation.
///
/// - Parameters:
///   - one, other: a descriptor, -1 for none, and the events that are waited for.
///   - milliseconds: -1 waits without end.
/// - Returns: their events, 0 for none: where the time is over, or a signal came.
public func pollBoth(
  _ one: (descriptor: Int32, events: Int16), _ other: (descriptor: Int32, events: Int16),
  for milliseconds: Int32
) -> (Int16, Int16) {
  var items: [2 of pollfd] = [
    pollfd(fd: one.descriptor, events: one.events, revents: 0),
    pollfd(fd: other.descriptor, events: other.events, revents: 0),
  ]
  var span = items.mutableSpan
  // Two elements, alive during the call.
  unsafe span.withUnsafeMutableBufferPointer { buffer in
    _ = unsafe poll(buffer.baseAddress!, 2, milliseconds)
  }
  return (items[0].revents, items[1].revents)
}

/// Blocks until `descriptor` can be read or has ended; see ``wait(_:_:or:for:)``.
public func waitReadable(
  _ descriptor: Int32, or wakeUp: WakeUp?, for timeout: Duration? = nil
) -> Waited {
  wait(descriptor, POLLIN, or: wakeUp, for: timeout)
}
