// Between the guardian and its keeper.

extension LocalMessage {
  /// Guardian to keeper: a duplicate of the mark page's memfd comes with the first byte. SCM_RIGHTS refuses an
  /// io_uring, so the keeper fetches the ring from the guardian (pidfd_getfd).
  public struct Keep: Message, Equatable {
    public static let code: UInt16 = 214
    /// The guardian's pid and the ring's number there.
    public var pid: Int32
    public var ring: Int32

    public init(pid: Int32, ring: Int32) {
      self.pid = pid
      self.ring = ring
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(pid)
      payload.put(ring)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      pid = try payload.integer("pid")
      ring = try payload.integer("ring")
    }
  }

  /// Guardian to keeper: close everything that was kept.
  public struct LetGo: Message, Equatable {
    public static let code: UInt16 = 215
    public init() {}
    public func write(to payload: inout PayloadWriter) {}
    public init(from payload: inout PayloadReader) throws(MessageError) {}
  }
}
