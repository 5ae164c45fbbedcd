/// What `leafcutter-guest doctor` asks the guardian.
extension LocalMessage {
  public struct DatabasesRequest: Message, Equatable {
    public static let code: UInt16 = 216
    public init() {}
    public func write(to payload: inout PayloadWriter) {}
    public init(from payload: inout PayloadReader) throws(MessageError) {}
  }

  /// The databases that have registered.
  public struct Databases: Message, Equatable {
    public static let code: UInt16 = 217

    public struct Entry: Equatable, Sendable {
      /// From the socket, not from a message.
      public var pid: Int32
      public var registration: Register

      public init(pid: Int32, registration: Register) {
        self.pid = pid
        self.registration = registration
      }
    }

    public var entries: [Entry]
    /// Bytes of the entries, which fit into a frame; what is more is left out.
    private static let entriesLimit = 96 * 1024

    public init(entries: [Entry]) { self.entries = entries }

    public func write(to payload: inout PayloadWriter) {
      payload.put(list: entries, within: Databases.entriesLimit) {
        $0.put($1.pid)
        $1.registration.write(to: &$0)
      }
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      // A pid, four texts' and a list's lengths, two flags.
      entries = try payload.list("databases", minimumSize: 26) { reader throws(MessageError) in
        Entry(pid: try reader.integer("pid"), registration: try Register(from: &reader))
      }
    }
  }
}
