import Glibc
import Synchronization

/// Keeps `WT_CONNECTION::rollback_to_stable` apart from what of this library's the engine refuses it for: a cursor
/// that has found a record, a table that is being opened, a checkpoint. A program may take a refusal for the end.
///
/// Most of that is short and there is much of it, so what each costs is two counts; who closes the gate waits for
/// what goes on.
final class RollbackGate: Sendable {
  private let passing = Atomic<Int>(0)
  private let checkpoints = Atomic<Int>(0)
  private let closed = Atomic<Int>(0)
  /// Between two looks, in microseconds.
  private static let pause: UInt32 = 200
  /// A search that waits for room in the cache, or for the disk, is not waited for any longer, in nanoseconds: then
  /// the program is refused after all.
  private static let patience: UInt64 = 10_000_000_000

  /// Runs `body` while nobody rolls back.
  func pass<Result>(_ body: () -> Result) -> Result {
    enter(passing)
    defer { passing.subtract(1, ordering: .sequentiallyConsistent) }
    return body()
  }

  /// The same for a checkpoint, whose end is waited for however late it comes, as newer engines do themselves.
  func checkpoint<Result>(_ body: () -> Result) -> Result {
    enter(checkpoints)
    defer { checkpoints.subtract(1, ordering: .sequentiallyConsistent) }
    return body()
  }

  private func enter(_ count: borrowing Atomic<Int>) {
    while true {
      // In one order with `close`, or both could go on.
      count.add(1, ordering: .sequentiallyConsistent)
      if closed.load(ordering: .sequentiallyConsistent) == 0 { return }
      count.subtract(1, ordering: .sequentiallyConsistent)
      usleep(RollbackGate.pause)
    }
  }

  /// Runs `body` while nobody passes.
  func close<Result>(_ body: () -> Result) -> Result {
    closed.add(1, ordering: .sequentiallyConsistent)
    defer { closed.subtract(1, ordering: .sequentiallyConsistent) }
    let end = monotonicNanoseconds() + RollbackGate.patience
    while isPassed(until: end) { usleep(RollbackGate.pause) }
    return body()
  }

  private func isPassed(until end: UInt64) -> Bool {
    checkpoints.load(ordering: .sequentiallyConsistent) > 0
      || passing.load(ordering: .sequentiallyConsistent) > 0 && monotonicNanoseconds() < end
  }
}
