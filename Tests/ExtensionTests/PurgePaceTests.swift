import Testing

@testable import WiredTigerExtension

/// How often the allocator is asked for what it keeps while a cache is evicted.
struct PurgePaceTests {
  private static let millisecond: UInt64 = 1_000_000

  /// The first time at which a purge is due, in milliseconds.
  private func due(_ pace: PurgePace) -> UInt64? {
    (0...60_000).first { pace.isDue(at: $0 * PurgePaceTests.millisecond) }
  }

  @Test func aQuickPurgeIsFollowedByTheNextAfterAQuarterOfASecond() {
    var pace = PurgePace(now: 0)
    #expect(due(pace) == 251)
    pace.purged(from: 300 * PurgePaceTests.millisecond, until: 310 * PurgePaceTests.millisecond)
    #expect(due(pace) == 561)
  }

  /// glibc's takes seconds in a large heap, and keeps the program's threads from their arenas.
  @Test func aSlowPurgeLeavesTheProgramFiveTimesAsLong() {
    var pace = PurgePace(now: 0)
    pace.purged(from: 1000 * PurgePaceTests.millisecond, until: 4000 * PurgePaceTests.millisecond)
    #expect(due(pace) == 19_001)
  }
}
