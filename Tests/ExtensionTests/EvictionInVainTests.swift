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
    #expect(isInVain([(110, 35), (109, 50)]))
  }

  /// One that was high and sinks is over.
  @Test func aMeasureThatDoesNotRiseIsNoDistress() {
    #expect(!isInVain([(34, 24), (36, 24), (36, 24), (36, 24), (36, 24), (36, 24), (36, 20)]))
  }

  private func isInVain(_ looks: [(mebibytes: UInt64, distress: UInt64)]) -> Bool {
    var eviction = EvictionInVain()
    return looks.contains {
      eviction.isInVain(
        CacheUsage(limit: 37 << 20, used: $0.mebibytes << 20, dirty: 0, distress: $0.distress))
    }
  }
}
