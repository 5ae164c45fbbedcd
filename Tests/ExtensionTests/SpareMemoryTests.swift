import HookLink
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

  /// What stands in /proc may be another program's (lxcfs), and traps nobody's database.
  @Test func numbersThatNoMemoryHasTrapNobody() {
    let most = UInt64.max
    #expect(SpareMemory.pageCache("inactive_file \(most)\nactive_file 1\n") == most)
    #expect(SpareMemory.available("MemAvailable: \(most) kB\n") == most)
    #expect(SpareMemory.available("MemAvailable: 2 kB\n") == 2048)
  }

  /// Engines count bytes down and up without a lock.
  @Test func aCounterOfTheEnginesThatIsBelowZeroCountsAsNothing() {
    let below = UInt64.max - 4095
    let usage = CacheUsage(limit: 1 << 30, used: below, dirty: below)
    #expect(usage.limit == 1 << 30 && usage.used == 0 && usage.dirty == 0)
    let request = LocalMessage.PrepareDatabase(
      cacheBytes: .max, threads: 1, keepPercent: LocalMessage.PrepareDatabase.maximumKeepPercent)
    let budget = CacheBudget(request, of: usage)
    #expect(budget.size >= budget.content && budget.size == 1 << 30)
    let largest = CacheBudget(request, of: CacheUsage(limit: .max, used: .max >> 9, dirty: 0))
    #expect(largest.size >= largest.content)
  }

  @Test func aCacheGrowsNoFurtherThanItsGroupHasMemory() {
    #expect(SmallCache.within(nil, 500, used: 100) == 500)
    #expect(SmallCache.within(1000, 500, used: 100) == 500)
    // A fifth is for what an allocator takes beside the cache.
    #expect(SmallCache.within(50, 500, used: 100) == 120)
    // What was granted and is not used yet is not granted again.
    #expect(SmallCache.within(50, 500, used: 100) == SmallCache.within(40, 500, used: 110))
    #expect(SmallCache.within(0, 500, used: 100) == 100)
    #expect(SmallCache.within(.max, 500, used: 100) == 500)
  }
}
