// What `leafcutter-guest save`, `load` and `status` ask for, and how a request fails.

extension LocalMessage {
  /// Write a manifest of the resident leaves and evict nothing. Client to guardian, and guardian to
  /// every database (or to the one whose home is named); answered by ``Prepared``.
  public struct SaveManifest: Message, Equatable {
    public static let code: UInt16 = 209
    /// Empty: every registered database.
    public var home: String

    public init(home: String) { self.home = home }

    public func write(to payload: inout PayloadWriter) { payload.put(home) }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      home = try payload.text("home")
    }
  }

  /// Read the leaves of the manifest next to the database back; answered by ``DatabaseResumed``.
  public struct LoadManifest: Message, Equatable {
    public static let code: UInt16 = 210
    /// Empty: every registered database.
    public var home: String
    public var threads: UInt32
    public var leavesPerSecond: UInt32
    /// See ``Resume/yields``.
    public var yields: Bool

    public init(home: String, threads: UInt32, leavesPerSecond: UInt32, yields: Bool = true) {
      self.home = home
      self.threads = threads
      self.leavesPerSecond = leavesPerSecond
      self.yields = yields
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(home)
      payload.put(threads)
      payload.put(leavesPerSecond)
      payload.put(yields)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      home = try payload.text("home")
      threads = try payload.integer("threads")
      leavesPerSecond = try payload.integer("leaves per second")
      yields = try payload.flag("yields")
    }
  }

  /// A request that could not be carried out, and in which step.
  public struct Failed: Message, Equatable {
    public static let code: UInt16 = 211
    public var step: String
    public var reason: String

    public init(step: String, reason: String) {
      self.step = step
      self.reason = reason
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(step, limit: 128)
      payload.put(reason)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      step = try payload.text("step", limit: 128)
      reason = try payload.text("reason")
    }
  }

  public struct StatusRequest: Message, Equatable {
    public static let code: UInt16 = 212
    public init() {}
    public func write(to payload: inout PayloadWriter) {}
    public init(from payload: inout PayloadReader) throws(MessageError) {}
  }

  /// What the guardian is doing, as lines of "name: value".
  public struct Status: Message, Equatable {
    public static let code: UInt16 = 213
    public var lines: [String]

    public init(lines: [String]) { self.lines = lines }

    public func write(to payload: inout PayloadWriter) {
      payload.put(notes: lines)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      lines = try payload.list("lines", minimumSize: 4) { reader throws(MessageError) in
        try reader.text("line")
      }
    }
  }
}
