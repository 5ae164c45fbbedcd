import Glibc

/// A value behind a mutex, with a condition variable that announces its changes.
///
/// For blocking threads that wait for one another, with a deadline or without; `Synchronization.Mutex` has no
/// condition to wait on. Waiting counts on CLOCK_MONOTONIC, so setting the host's clock neither
/// cuts a wait short nor prolongs it.
@safe public final class Guarded<Value>: @unchecked Sendable {
  // `@unchecked` and `@safe`: `value` is only touched with `mutex` held. Both pthread objects live on the heap
  // because they must not move once initialised.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var value: Value

  public init(_ value: sending Value) {
    self.value = value
    unsafe mutex = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    // Freshly allocated memory of the right size, initialised once, before anybody else sees it.
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(changed, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    // Nobody holds or waits on them: that would keep a reference to this object.
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  /// Reads or changes the value and wakes everybody who waits for a change.
  public func update<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // The pointers stay valid for as long as `self` does.
    unsafe pthread_mutex_lock(mutex)
    defer {
      unsafe pthread_cond_broadcast(changed)
      unsafe pthread_mutex_unlock(mutex)
    }
    return try body(&value)
  }

  /// Reads the value; wakes nobody.
  public func read<Result>(_ body: (Value) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(value)
  }

  /// Calls `body` now and after every change until it returns something.
  public func wait<Result>(for body: (inout Value) -> Result?) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&value) { return result }
      // The mutex is held, as the call requires; a spurious return goes round the loop.
      unsafe pthread_cond_wait(changed, mutex)
    }
  }

  /// The same until `deadline` has passed.
  ///
  /// - Returns: what `body` returned, or nil when the deadline passed first. `body` is called once
  ///   in any case, also when the deadline lies in the past.
  public func wait<Result>(
    until deadline: SuspendingClock.Instant, for body: (inout Value) -> Result?
  ) -> Result? {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&value) { return result }
      let left = SuspendingClock.now.duration(to: deadline)
      if left <= .zero { return nil }
      var wake = timespec(monotonicIn: left)
      // As above.
      unsafe pthread_cond_timedwait(changed, mutex, &wake)
    }
  }
}

extension timespec {
  /// The time on CLOCK_MONOTONIC that lies `duration` from now, at most a day.
  fileprivate init(monotonicIn duration: Duration) {
    var now = timespec()
    // A valid clock and a local to write to: cannot fail.
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    let (seconds, attoseconds) = min(duration, .seconds(86_400)).components
    let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
    self.init(
      tv_sec: now.tv_sec + Int(seconds) + nanoseconds / 1_000_000_000,
      tv_nsec: nanoseconds % 1_000_000_000)
  }
}
