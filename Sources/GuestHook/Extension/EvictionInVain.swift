/// Tells a cache whose pages cannot be evicted, because a transaction or a cursor needs them, from one whose
/// eviction is slow.
///
/// The engine counts every moment without an evicted page. Where its threads get little processor time, or wait
/// for a disk, there are many of those while the cache shrinks all the same.
struct EvictionInVain {
  /// Half of the way to where a writer is rolled back; that takes the engine half a second at least.
  private static let certain = CacheUsage.hopeless / 2
  private static let likely = CacheUsage.hopeless / 4
  /// In so many looks one after the other a cache that shrinks has shrunk.
  private static let looks = 3

  private var distress: UInt64 = 0
  private var least = UInt64.max
  private var looksSinceLeast = 0

  /// To be asked at each look at the cache, a tenth of a second apart.
  mutating func isInVain(_ usage: CacheUsage) -> Bool {
    let rises = usage.distress > distress
    distress = usage.distress
    looksSinceLeast = usage.used < least ? 0 : looksSinceLeast + 1
    least = min(least, usage.used)
    guard rises else { return false }
    return distress >= EvictionInVain.certain
      || distress >= EvictionInVain.likely && looksSinceLeast >= EvictionInVain.looks
  }
}
