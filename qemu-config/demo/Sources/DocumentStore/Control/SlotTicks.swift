import Synchronization

/// Lets the operations log report its slots on time while nothing is recorded.
final class SlotTicks: Sendable {
  private let stopping = Atomic(false)
  private let thread = Mutex<RunningThread?>(nil)

  init(_ log: OperationsLog) {
    let running = RunningThread("slots") { [self] in
      while !stopping.load(ordering: .relaxed) {
        let now = MonotonicClock.now
        log.advance(to: now)
        let slot = OperationsLog.slotNanoseconds
        MonotonicClock.sleep(until: now - now % slot + slot)
      }
    }
    thread.withLock { $0 = running }
  }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }
}
