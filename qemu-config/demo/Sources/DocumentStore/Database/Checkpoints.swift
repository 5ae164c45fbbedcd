import Synchronization

/// Takes a checkpoint every few seconds, on a thread of its own.
public final class Checkpoints: Sendable {
  private let stopping = Atomic(false)
  private let thread = Mutex<RunningThread?>(nil)
  /// By ``MonotonicClock``: none is taken before. Held while one is taken.
  private let restsUntil = Mutex<UInt64>(0)

  /// - Throws: ``DatabaseError`` where no session can be opened.
  public init(_ database: Database, seconds: Double) throws(DatabaseError) {
    // Tried out here, so that the caller hears what is wrong.
    try database.openSession().close()
    let interval = UInt64(seconds * 1e9)
    let running = RunningThread("checkpoint") { [self] in
      do throws(DatabaseError) {
        let session = try database.openSession()
        while waits(interval) {
          try restsUntil.withLock { restsUntil throws(DatabaseError) in
            if MonotonicClock.now >= restsUntil { try session.checkpoint() }
          }
        }
        try session.close()
      } catch {
        logLine("no more checkpoints: \(error)")
      }
    }
    thread.withLock { $0 = running }
  }

  /// Waits for a running checkpoint. No more are taken.
  public func stop() {
    stopping.store(true, ordering: .relaxed)
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }

  /// Waits for a running checkpoint. None is taken until ``goOn(afterSeconds:)``.
  public func rest() { restsUntil.withLock { $0 = .max } }

  public func goOn(afterSeconds seconds: UInt64) {
    restsUntil.withLock { $0 = MonotonicClock.now + seconds * 1_000_000_000 }
  }

  /// In steps, so that `stop` does not wait for long; false when it has been called.
  private func waits(_ interval: UInt64) -> Bool {
    let due = MonotonicClock.now + interval
    while !stopping.load(ordering: .relaxed) {
      let now = MonotonicClock.now
      guard now < due else { return true }
      MonotonicClock.sleep(until: min(due, now + 100_000_000))
    }
    return false
  }
}
