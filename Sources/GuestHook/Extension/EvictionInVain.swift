/// Tells a cache whose pages cannot be evicted, because a transaction or a cursor needs them, from one whose
/// eviction is slow.
///
/// The engine counts every moment without an evicted page. Where its threads get little processor time, or wait
/// for a disk, there are many of those while the cache shrinks all the same.
struct EvictionInVain {
  /// Half of the way to where a writer is rolled back; that takes the engine half a second at least.
  private static let certain = CacheUsage.hopeless / 2
  /// From here on the engine itself takes it for serious (`WT_EVICT_SCORE_CUTOFF`). 3.2.1 keeps a writer waiting
  /// without ever saying much more, because it gets some pages out.
  private static let serious = CacheUsage.hopeless / 10
  /// In so many looks one after the other a cache that has begun to shrink shrinks.
  private static let patience = 5

  private var distress: UInt64 = 0
  private var cache = Shrinkage()
  /// Until eviction gets anything out, nothing tells one that is in vain from one that has not got going.
  private var hasBegun = false

  /// To be asked at each look at the cache, a tenth of a second apart.
  mutating func isInVain(_ usage: CacheUsage) -> Bool {
    let rises = usage.distress > distress
    distress = usage.distress
    hasBegun =
      hasBegun || usage.used <= usage.limit || cache.least != .max && usage.used < cache.least
    cache.look(at: usage.used)
    guard rises else { return false }
    return distress >= EvictionInVain.certain
      || distress >= EvictionInVain.serious && hasBegun
        && cache.looksSinceLeast >= EvictionInVain.patience
  }
}
