import Glibc
import StreamProxy
import Synchronization
import Threads

/// Calls `body` on a thread of its own unless it is cancelled in time.
final class Watchdog: Sendable {
  private let cancelled = Atomic(false)

  init(seconds: Int, _ body: @escaping @Sendable () -> Void) {
    _ = BlockingThread("watchdog") {
      for _ in 0..<seconds * 10 where !self.cancelled.load(ordering: .relaxed) { usleep(100_000) }
      if !self.cancelled.load(ordering: .relaxed) { body() }
    }
  }

  func cancel() { cancelled.store(true, ordering: .relaxed) }
}
