import CStoreSystem

/// An open database with what its clients share.
public final class Store: Sendable {
  public let database: Database
  public let shape: CollectionShape
  let ledger: VersionLedger

  public init(_ database: Database) throws(DatabaseError) {
    self.database = database
    let session = try database.openSession()
    shape = try Collection.shape(in: session)
    try session.close()
    ledger = VersionLedger(documents: shape.documents)
  }

  /// Bytes in WiredTiger's cache, and its limit.
  public func cache() throws(DatabaseError) -> CacheUse {
    let session = try database.openSession()
    let use = CacheUse(
      used: try session.statistic(CacheUse.usedKey),
      limit: try session.statistic(CacheUse.limitKey),
      dirty: try session.statistic(CacheUse.dirtyKey))
    try session.close()
    return use
  }

  /// Milliseconds without progress after which the cache holds what cannot be evicted now.
  private static let evictionPatience: UInt64 = 1000

  /// Gives the cache another size, as an operator can, waits until no more is in it or it stands still, and
  /// has the allocator give back what became free.
  public func setCache(mebibytes: Int) throws -> CacheUse {
    try database.reconfigure("cache_size=\(mebibytes)MB")
    var use = try cache()
    var progress = MonotonicClock.now
    while use.used > use.limit,
      MonotonicClock.now - progress < Store.evictionPatience * 1_000_000
    {
      MonotonicClock.sleep(until: MonotonicClock.now + 20_000_000)
      let now = try cache()
      if now.used < use.used { progress = MonotonicClock.now }
      use = now
    }
    leafcutter_store_purge_allocator()
    return use
  }
}
