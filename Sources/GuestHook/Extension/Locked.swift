import Glibc

/// A value behind a mutex of the C library's.
///
/// Not Synchronization's `Mutex`: on Linux the thread that holds one is known by a number that is still the
/// parent's in a child of fork(2), and where two of the child's threads want it the kernel refuses, which
/// ends the program. The program is a database, and it may fork.
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

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(&value)
  }
}
