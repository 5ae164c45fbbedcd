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
}
