import Glibc

/// What the engine's statistics say of its cache.
struct CacheUsage {
  /// cache_size, in bytes.
  var limit: UInt64
  /// Bytes in the cache.
  var used: UInt64
  /// Of those, bytes of pages that differ from storage.
  var dirty: UInt64
  /// How much in vain eviction is being tried, from 0 to ``hopeless``; 0 where the engine does not say.
  var distress: UInt64 = 0

  /// The engine's `WT_EVICT_SCORE_MAX`. It adds one or two for every 20 ms without progress while the cache
  /// is too full, and here it rolls the oldest writer's transaction back.
  static let hopeless: UInt64 = 100
  /// More bytes than any cache has (cache_size is 10 TB at most): one of the engine's counters that is below
  /// zero for a moment, because what it counts down is not yet counted up. Sums of some of less cannot overflow.
  private static let impossible: UInt64 = 1 << 56

  /// What the engine counts.
  init(limit: UInt64, used: UInt64, dirty: UInt64, distress: UInt64 = 0) {
    func counted(_ bytes: UInt64) -> UInt64 { bytes < CacheUsage.impossible ? bytes : 0 }
    self.limit = min(limit, CacheUsage.impossible)
    self.used = counted(used)
    self.dirty = counted(dirty)
    self.distress = distress
  }
}

extension Engine {
  /// - Throws: ``EngineError`` with EINVAL where the program has statistics switched off.
  func cacheUsage() throws(EngineError) -> CacheUsage {
    let values = try statistics(Engine.cacheStatistics)
    guard let limit = values[0], let used = values[1] else {
      throw EngineError(action: "find the cache among the statistics", code: ENOENT)
    }
    return CacheUsage(
      limit: limit, used: used, dirty: values[2] ?? used, distress: values[3] ?? 0)
  }

  /// The same where statistics are switched off: they are on for as long as it takes.
  func cacheUsageAnyway() throws(EngineError) -> CacheUsage {
    let statistics = try StatisticsInUse(self)
    defer { statistics.end() }
    return try cacheUsage()
  }

  private static let cacheStatistics = [
    "cache: maximum bytes configured", "cache: bytes currently in the cache",
    "cache: tracked dirty bytes in the cache",
    "cache: eviction currently operating in aggressive mode",
  ]

  /// Whether a checkpoint goes on, during which the engine takes no other cache_size; nil where it does not say.
  func isTakingCheckpoint() -> Bool? {
    for description in Engine.checkpointStatistics {
      if let value = (try? statistics([description]))?[0] { return value != 0 }
    }
    return nil
  }

  /// As 3.2.1 calls it, and 11.3.1.
  private static let checkpointStatistics = [
    "transaction: transaction checkpoint currently running", "checkpoint: progress state",
  ]

  /// - Throws: ``EngineError``; with EINVAL the engine may have taken a part of it all the same.
  func setCacheSize(_ bytes: UInt64) throws(EngineError) {
    try reconfigure("cache_size=\(bytes)")
  }
}
