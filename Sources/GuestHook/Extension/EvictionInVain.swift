/// Tells a cache whose pages cannot be evicted, because a transaction or a cursor needs them, from one whose
/// eviction is slow.
///
/// The engine counts every moment without an evicted page. Where its threads get little processor time, or wait
/// for a disk, there are many of those while the cache shrinks all the same.
///
/// Where a program writes as fast as it can, or its checkpoint holds on to what is dirty, they are many before
/// the cache gets small, and the measure sinks slowly afterwards. So what it was at first does not count, nor does
/// anything that was seen while the cache had another size.
struct EvictionInVain {
  /// From here on the engine itself takes it for serious (`WT_EVICT_SCORE_CUTOFF`). 3.2.1 keeps a writer waiting
  /// without ever saying much more, because it gets some pages out.
  private static let serious = CacheUsage.hopeless / 10
  /// So much more than it was at first.
  private static let rise = serious / 2
  /// For so many milliseconds a cache that has begun to shrink need not shrink, nor what is dirty.
  private static let patience: Int32 = 500
  /// Between two looks, in milliseconds. One takes 0.13 ms, and some twenty times as long under emulation;
  /// the engine gives a writer about a second, and less where the measure was high before.
  private static let usualInterval: Int32 = 100
  private static let intervalInDistress: Int32 = 20

  private var limit: UInt64 = 0
  /// As it was at the look before; at the first nothing rises.
  private var distress = CacheUsage.hopeless
  private var leastDistress = CacheUsage.hopeless
  private var cache = Shrinkage()
  private var dirty = Shrinkage()
  /// Milliseconds since one of them has got less.
  private var standing: Int32 = 0
  /// Until eviction gets anything out, nothing tells one that is in vain from one that has not got going.
  private var hasBegun = false

  /// When to look again, in milliseconds.
  var interval: Int32 {
    cache.least != .max && distress >= CacheUsage.hopeless / 2
      ? EvictionInVain.intervalInDistress : EvictionInVain.usualInterval
  }

  /// To be asked at each look at a cache that has been made small.
  ///
  /// - Parameter elapsed: milliseconds since the last one.
  mutating func isInVain(_ usage: CacheUsage, after elapsed: Int32) -> Bool {
    if usage.limit != limit {
      self = EvictionInVain()
      limit = usage.limit
    }
    let rises = usage.distress > distress
    distress = usage.distress
    leastDistress = min(leastDistress, distress)
    hasBegun =
      hasBegun || usage.used <= usage.limit || cache.least != .max && usage.used < cache.least
    cache.look(at: usage.used)
    dirty.look(at: usage.dirty)
    let shrinks = cache.looksSinceLeast == 0 || dirty.looksSinceLeast == 0
    standing = shrinks ? 0 : standing + elapsed
    let stands = standing >= EvictionInVain.patience
    if distress == CacheUsage.hopeless && stands { return true }
    guard rises else { return false }
    // Half of the way to where a writer is rolled back; from zero that takes the engine half a second.
    let certain = leastDistress + (CacheUsage.hopeless - leastDistress) / 2
    let enough = max(EvictionInVain.serious, leastDistress + EvictionInVain.rise)
    return distress >= certain || distress >= enough && hasBegun && stands
  }
}
