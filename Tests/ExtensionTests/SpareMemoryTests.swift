import Testing

@testable import WiredTigerExtension

/// How large a small cache may grow while what was in it is held.
struct SpareMemoryTests {
  @Test func pageCacheOfAControlGroupIsWhatTheKernelTakesBack() {
    let text = """
      anon 1000
      file 900
      kernel 5
      inactive_anon 7
      active_anon 8
      inactive_file 300
      active_file 200
      unevictable 1
      """
    #expect(SpareMemory.pageCache(text) == 500)
    #expect(SpareMemory.pageCache("") == 0)
  }

  @Test func aCacheGrowsNoFurtherThanItsGroupHasMemory() {
    #expect(SmallCache.within(nil, 500, used: 100) == 500)
    #expect(SmallCache.within(1000, 500, used: 100) == 500)
    #expect(SmallCache.within(50, 500, used: 100) == 150)
    // What was granted and is not used yet is not granted again.
    #expect(SmallCache.within(50, 500, used: 100) == SmallCache.within(40, 500, used: 110))
    #expect(SmallCache.within(0, 500, used: 100) == 100)
    #expect(SmallCache.within(.max, 500, used: 100) == 500)
  }
}
