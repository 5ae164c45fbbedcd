// What a database is asked to do for a migration.

extension LocalMessage {
  /// Guardian to database: evict and hold. The mark page's memfd comes with the first byte
  /// (SCM_RIGHTS); the hold library maps it, to write RELEASED where it must let go by itself.
  public struct PrepareDatabase: Message, Equatable {
    public static let code: UInt16 = 202
    /// The size of the cache until ``Resume``, in bytes, not counting the share that ``keepPercent`` leaves in it.
    public var cacheBytes: UInt64
    /// Threads that probe and evict; a database takes no more than ``maximumThreads``.
    public var threads: UInt32
    /// Per cent of what is in the cache that are left there.
    public var keepPercent: UInt8
    /// How long the proxy waits for the report, in milliseconds from its own PREPARE.
    public var timeoutMilliseconds: UInt32

    /// Each takes a session of the database's, of which a program has few (session_max).
    public static let maximumThreads: UInt32 = 16
    /// More would not be worth a prepare.
    public static let maximumKeepPercent: UInt8 = 95

    public init(
      cacheBytes: UInt64, threads: UInt32, keepPercent: UInt8, timeoutMilliseconds: UInt32 = 60_000
    ) {
      self.cacheBytes = cacheBytes
      self.threads = threads
      self.keepPercent = keepPercent
      self.timeoutMilliseconds = timeoutMilliseconds
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(cacheBytes)
      payload.put(threads)
      payload.put(keepPercent)
      payload.put(timeoutMilliseconds)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      cacheBytes = try payload.integer("cache bytes")
      threads = try payload.integer("threads")
      keepPercent = try payload.integer("keep percent")
      guard keepPercent <= PrepareDatabase.maximumKeepPercent else {
        throw .outOfRange(field: "keep percent", value: UInt64(keepPercent))
      }
      timeoutMilliseconds = try payload.integer("timeout")
    }
  }
}
