import HookLink

/// How large a cache is while its database waits for the end of a migration.
struct CacheBudget {
  /// The share of a cache at which WiredTiger's eviction stops, in per cent (`eviction_target`, unless the
  /// program has set another).
  static let evictionTarget: UInt64 = 80

  /// Bytes that may stay in it: eviction need not hit the share exactly.
  var content: UInt64
  /// Its cache_size, in bytes. Eviction stops where the share that is to be kept is left, and what it is to
  /// have beside that is there for the clients.
  var size: UInt64

  init(_ request: LocalMessage.PrepareDatabase, of usage: CacheUsage) {
    // A share of the bytes in memory: never more than what is there.
    let kept = usage.used / 100 * UInt64(request.keepPercent)
    let more = min(request.cacheBytes, usage.limit)
    content = kept + kept / 16 + more
    // Of a few bytes the share is nothing.
    size = max(kept / CacheBudget.evictionTarget * 100 + more, content)
  }
}
