/// What the proxy says to the guardian.
public enum HostMessage: Equatable, Sendable {
  case prepare(Prepare)
  case acknowledge(Acknowledge)
  case abort(Abort)

  /// Begins a migration: the guest answers with ``Mark`` at once, then evicts, holds and reports.
  public struct Prepare: Message, Equatable {
    public static let code: UInt16 = 1
    /// Post-copy may follow, so holders need the lease (they release without an acknowledgement no
    /// sooner than 15 s after the last one they received).
    public var postcopyPossible: Bool
    /// The stream cannot be edited: fill the held frames with zeroes instead of reporting them. Nothing
    /// is dropped then, so they may be let go at any time without asking; no copy of the mark page
    /// carries a verdict, and the guest learns of the end from ``Abort`` or from the link's loss.
    public var zeroHeldFrames: Bool
    /// How long the proxy waits for ``GuestMessage/ReportEnd``, in milliseconds.
    public var timeoutMilliseconds: UInt32
    /// The guest's RAM as the proxy understands it, by rising address: each segment that holds frames
    /// wants a ``ProbePage``, and what lies in none is not to be reported. Empty where frames are
    /// zeroed.
    public var segments: [MemorySegment]

    /// More segments than any machine has (256 memory slots and the main memory).
    public static let maximumSegments = 512

    public init(
      postcopyPossible: Bool, zeroHeldFrames: Bool, timeoutMilliseconds: UInt32,
      segments: [MemorySegment]
    ) {
      self.postcopyPossible = postcopyPossible
      self.zeroHeldFrames = zeroHeldFrames
      self.timeoutMilliseconds = timeoutMilliseconds
      self.segments = segments
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(postcopyPossible)
      payload.put(zeroHeldFrames)
      payload.put(timeoutMilliseconds)
      payload.put(list: segments) {
        $0.put($1.start)
        $0.put($1.length)
      }
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      postcopyPossible = try payload.flag("postcopy possible")
      zeroHeldFrames = try payload.flag("zero held frames")
      timeoutMilliseconds = try payload.integer("timeout")
      segments = try MemorySegment.read(from: &payload)
    }
  }

  /// A ``GuestMessage/Revoke`` has taken effect, or a ``GuestMessage/Heartbeat`` has arrived. After
  /// the acknowledgement of a REVOKE none of its pages will be dropped.
  public struct Acknowledge: Message, Equatable {
    public static let code: UInt16 = 2
    public var sequence: UInt64

    public init(sequence: UInt64) { self.sequence = sequence }

    public func write(to payload: inout PayloadWriter) { payload.put(sequence) }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      sequence = try payload.integer("sequence")
    }
  }

  /// The migration is over and this guest stays: let the frames go and read the cache back. The
  /// proxy drops nothing from here on.
  public struct Abort: Message, Equatable {
    public static let code: UInt16 = 3
    public var reason: String

    public init(reason: String) { self.reason = reason }

    public func write(to payload: inout PayloadWriter) { payload.put(reason) }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      reason = try payload.text("reason")
    }
  }

  public init(_ frame: Frame) throws(MessageError) {
    self =
      switch frame.type {
      case Prepare.code: .prepare(try Prepare.read(frame))
      case Acknowledge.code: .acknowledge(try Acknowledge.read(frame))
      case Abort.code: .abort(try Abort.read(frame))
      default: throw .unknownType(frame.type)
      }
  }
}
