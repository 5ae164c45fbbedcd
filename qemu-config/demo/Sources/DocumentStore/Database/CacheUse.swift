import CWiredTigerStore

/// What WiredTiger's cache holds, bytes.
public struct CacheUse: Equatable, Sendable {
  public var used: Int64
  public var limit: Int64
  public var dirty: Int64

  static let usedKey = WT_STAT_CONN_CACHE_BYTES_INUSE
  static let limitKey = WT_STAT_CONN_CACHE_BYTES_MAX
  static let dirtyKey = WT_STAT_CONN_CACHE_BYTES_DIRTY
}
