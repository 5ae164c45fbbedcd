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

func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  // A structure of our own, alive during the call.
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// A value behind a mutex.
@safe final class Locked<Value>: @unchecked Sendable {
  // `@unchecked` and `@safe`: the value is only touched with the mutex held, which lies on the heap
  // because it must not move.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var value: Value

  init(_ value: sending Value) {
    self.value = value
    unsafe mutex = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  func use<Result>(_ body: (inout Value) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(&value)
  }
}

/// Threads that do one thing together and end. They take no signals but their own faults': the others are
/// the program's.
final class Crew: Sendable {
  private let finished = Signal()
  private let left: Locked<Int>

  /// Starts `count` threads, which call `body` with their number. Where none is to be had, the work is
  /// done all the same, here and now: it must come to its end by itself.
  init(_ name: String, count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    left = Locked(count)
    if count == 0 { finished.raise() }
    for number in 0..<count where !start(name, number, body) {
      body(number)
      end()
    }
  }

  /// The same for work that somebody else ends, or paces: only threads do it, as many as are to be had;
  /// nil where that is none.
  init?(besides name: String, count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    left = Locked(count)
    if count == 0 { finished.raise() }
    let missing = (0..<count).count { !start(name, $0, body) }
    if missing == count, count > 0 { return nil }
    for _ in 0..<missing { end() }
  }

  private func start(
    _ name: String, _ number: Int, _ body: @escaping @Sendable (Int) -> Void
  ) -> Bool {
    startThread(name) { [self] in
      body(number)
      end()
    }
  }

  private func end() {
    let remaining = left.use { value in
      value -= 1
      return value
    }
    if remaining == 0 { finished.raise() }
  }

  /// Waits until all have ended; false when the time was over before.
  @discardableResult
  func join(milliseconds: Int32 = -1) -> Bool { finished.wait(milliseconds: milliseconds) }
}

/// Starts a detached thread with every signal blocked that is not a fault of its own; false where there is
/// none to be had.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
  let start = ThreadStart(name: name, body: body)
  var thread = pthread_t()
  let mask = unsafe leafcutter_block_signals()
  // The box is retained here and released by the new thread, which takes it over.
  let status = unsafe pthread_create(
    &thread, nil,
    { argument in
      let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
      unsafe leafcutter_extension_name_thread(start.name)
      start.body()
      return nil
    }, unsafe Unmanaged.passRetained(start).toOpaque())
  unsafe leafcutter_restore_signals(mask)
  guard status == 0 else {
    // Nobody took the box over.
    unsafe Unmanaged.passUnretained(start).release()
    return false
  }
  pthread_detach(thread)
  return true
}

private final class ThreadStart: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}
