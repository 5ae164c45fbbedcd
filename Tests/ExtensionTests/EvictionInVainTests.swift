import Testing

@testable import WiredTigerExtension

/// When a small cache is made larger for a writer: (MiB in the cache, the engine's measure) at each look.
struct EvictionInVainTests {
  /// As seen in a guest whose processors were taken by busy loops: the eviction had just begun.
  @Test func aCacheThatShrinksSlowlyIsLeftSmall() {
    #expect(
      !isInVain([(110, 2), (110, 3), (110, 6), (110, 11), (109, 13), (80, 16), (40, 9), (33, 1)]))
    #expect(!isInVain([(110, 8), (109, 16), (108, 24), (107, 32), (106, 40), (105, 48)]))
  }

  @Test func evictionThatHasNotGotGoingIsNotInVain() {
    #expect(!isInVain((0..<24).map { (110, UInt64($0 * 2)) } + [(109, 47), (60, 30)]))
  }

  @Test func aCacheThatNoLongerShrinksIsMadeLargerLongBeforeAWriterIsRolledBack() {
    #expect(isInVain([(110, 0), (60, 0), (34, 2), (36, 5), (38, 8), (40, 9), (42, 10), (44, 12)]))
  }

  /// It may have shrunk before the first look.
  @Test func aCacheThatGrowsBeyondItsSizeIsMadeLarger() {
    #expect(isInVain([(30, 0), (38, 2), (40, 5), (42, 8), (44, 9), (46, 12)]))
  }

  @Test func whereAWriterIsNearlyRolledBackNothingElseCounts() {
    #expect(isInVain([(110, 0), (110, 24), (109, 50)]))
    #expect(isInVain([(110, 90), (110, 92), (109, 95)]))
    #expect(isInVain(Array(repeating: (110, 100), count: 7)))
  }

  /// As seen in a guest whose clients wrote as fast as they could, after a checkpoint.
  @Test func distressFromBeforeTheCacheWasSmallDoesNotCount() {
    #expect(!isInVain([(819, 92), (813, 77), (778, 58), (751, 60), (663, 56), (346, 38), (37, 0)]))
    #expect(!isInVain([(819, 100), (817, 100), (816, 100), (815, 100), (814, 100), (813, 100)]))
  }

  @Test func aCacheInWhichLessAndLessIsDirtyIsLeftSmall() {
    var eviction = EvictionInVain()
    for look: UInt64 in 0..<12 {
      let usage = CacheUsage(
        limit: 37 << 20, used: look == 0 ? 111 << 20 : 110 << 20, dirty: (40 - look) << 20,
        distress: 3 * look)
      let isInVain = eviction.isInVain(usage, after: 100)
      #expect(!isInVain)
    }
  }

  /// The engine has begun anew then.
  @Test func withAnotherSizeNothingFromBeforeCounts() {
    let looks: [(limit: UInt64, used: UInt64, distress: UInt64)] = [
      (380, 300, 2), (380, 300, 2), (199, 300, 60), (199, 290, 66), (199, 280, 70),
    ]
    var eviction = EvictionInVain()
    #expect(
      !looks.contains {
        let usage = CacheUsage(
          limit: $0.limit << 20, used: $0.used << 20, dirty: 0, distress: $0.distress)
        return eviction.isInVain(usage, after: 100)
      })
  }

  /// One that was high and sinks is over.
  @Test func aMeasureThatDoesNotRiseIsNoDistress() {
    #expect(!isInVain([(34, 24), (36, 24), (36, 24), (36, 24), (36, 24), (36, 24), (36, 20)]))
  }

  private func isInVain(_ looks: [(mebibytes: UInt64, distress: UInt64)]) -> Bool {
    var eviction = EvictionInVain()
    return looks.contains {
      eviction.isInVain(
        CacheUsage(limit: 37 << 20, used: $0.mebibytes << 20, dirty: 0, distress: $0.distress),
        after: 100)
    }
  }
}
