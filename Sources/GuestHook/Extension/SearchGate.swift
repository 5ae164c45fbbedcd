import Glibc
import Synchronization

/// Keeps this library's searches apart from what the engine refuses while any cursor has found a record:
/// `WT_CONNECTION::rollback_to_stable` then fails with EBUSY, and a program may take that for the end.
///
/// Searches are short and many, so what each costs is two counts; who closes the gate waits for those that go on.
final class SearchGate: Sendable {
  private let searching = Atomic<Int>(0)
  private let closed = Atomic<Int>(0)
  /// Between two looks, in microseconds.
  private static let pause: UInt32 = 200
  /// A search that waits for room in the cache, or for the disk, is not waited for any longer, in nanoseconds: then
  /// the program is told EBUSY after all.
  private static let patience: UInt64 = 10_000_000_000

  func search<Result>(_ body: () -> Result) -> Result {
    while true {
      // In one order with `close`, or both could go on.
      searching.add(1, ordering: .sequentiallyConsistent)
      if closed.load(ordering: .sequentiallyConsistent) == 0 { break }
      searching.subtract(1, ordering: .sequentiallyConsistent)
      usleep(SearchGate.pause)
    }
    defer { searching.subtract(1, ordering: .sequentiallyConsistent) }
    return body()
  }

  /// Runs `body` while nobody searches.
  func close<Result>(_ body: () -> Result) -> Result {
    closed.add(1, ordering: .sequentiallyConsistent)
    defer { closed.subtract(1, ordering: .sequentiallyConsistent) }
    let end = monotonicNanoseconds() + SearchGate.patience
    while searching.load(ordering: .sequentiallyConsistent) > 0, monotonicNanoseconds() < end {
      usleep(SearchGate.pause)
    }
    return body()
  }
}
