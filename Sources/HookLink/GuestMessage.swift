/// What the guardian says to the proxy.
public enum GuestMessage: Equatable, Sendable {
  case mark(Mark)
  case held(HeldPages)
  case reportEnd(ReportEnd)
  case revoke(Revoke)
  case heartbeat(Heartbeat)
  case progress(Progress)
  case declined(Declined)
  case resumed(Resumed)

  /// Answers PREPARE at once, before anything is evicted: where the mark page is.
  public struct Mark: Message, Equatable {
    public static let code: UInt16 = 101
    public var guestPhysicalAddress: UInt64
    /// The guest's CLOCK_MONOTONIC, nanoseconds.
    public var time: UInt64
    public var guardianVersion: String

    public init(guestPhysicalAddress: UInt64, time: UInt64, guardianVersion: String) {
      self.guestPhysicalAddress = guestPhysicalAddress
      self.time = time
      self.guardianVersion = guardianVersion
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(guestPhysicalAddress)
      payload.put(time)
      payload.put(guardianVersion, limit: 128)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      guestPhysicalAddress = try payload.integer("mark address")
      time = try payload.integer("time")
      guardianVersion = try payload.text("guardian version", limit: 128)
    }
  }

  /// Wants frames back: the proxy clears them and acknowledges; only then may the guest reuse them.
  public struct Revoke: Message, Equatable {
    public static let code: UInt16 = 104
    /// Counts up with every message that wants an acknowledgement.
    public var sequence: UInt64
    /// nil means every page of the report.
    public var ranges: [PageRange]?

    /// So many fit into a frame: every page of 32 MiB, if need be.
    public static let maximumRanges = 8192

    public init(sequence: UInt64, ranges: [PageRange]?) {
      self.sequence = sequence
      self.ranges = ranges
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(sequence)
      payload.put(ranges == nil)
      payload.put(list: ranges ?? []) {
        $0.put($1.first)
        $0.put($1.count)
      }
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      sequence = try payload.integer("sequence")
      let everything = try payload.flag("everything")
      let list = try payload.list("ranges", minimumSize: 16) { reader throws(MessageError) in
        PageRange(first: try reader.integer("first page"), count: try reader.integer("page count"))
      }
      ranges = everything ? nil : list
    }
  }

  /// "The holders live"; acknowledged, because post-copy's lease is counted from it.
  public struct Heartbeat: Message, Equatable {
    public static let code: UInt16 = 105
    public var sequence: UInt64
    /// The guest's CLOCK_MONOTONIC, nanoseconds.
    public var time: UInt64

    public init(sequence: UInt64, time: UInt64) {
      self.sequence = sequence
      self.time = time
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(sequence)
      payload.put(time)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      sequence = try payload.integer("sequence")
      time = try payload.integer("time")
    }
  }

  /// For the operator's eyes only.
  public struct Progress: Message, Equatable {
    public static let code: UInt16 = 106
    public var activity: String
    public var done: UInt64
    public var total: UInt64

    public init(activity: String, done: UInt64, total: UInt64) {
      self.activity = activity
      self.done = done
      self.total = total
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(activity, limit: 256)
      payload.put(done)
      payload.put(total)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      activity = try payload.text("activity", limit: 256)
      done = try payload.integer("done")
      total = try payload.integer("total")
    }
  }

  /// The guest cannot take part in this migration; it goes on as an ordinary one. Of no migration
  /// (``MigrationID/none``): this guardian has just started, and knows of none that is under way.
  public struct Declined: Message, Equatable {
    public static let code: UInt16 = 107
    public var reason: String

    public init(reason: String) { self.reason = reason }

    public func write(to payload: inout PayloadWriter) { payload.put(reason) }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      reason = try payload.text("reason")
    }
  }

  /// The frames are released and the cache has been read back, here.
  public struct Resumed: Message, Equatable {
    public static let code: UInt16 = 108
    /// false also where nobody could tell: without a mark page's verdict, after
    /// ``HostMessage/Prepare/zeroHeldFrames``.
    public var atDestination: Bool
    public var leavesInManifest: UInt64
    /// Leaves that refault read or found present.
    public var leavesRefaulted: UInt64
    /// Leaves that a probe without I/O found resident after the refault.
    public var leavesResident: UInt64
    public var steps: [StepTime]

    public init(
      atDestination: Bool, leavesInManifest: UInt64, leavesRefaulted: UInt64,
      leavesResident: UInt64, steps: [StepTime]
    ) {
      self.atDestination = atDestination
      self.leavesInManifest = leavesInManifest
      self.leavesRefaulted = leavesRefaulted
      self.leavesResident = leavesResident
      self.steps = steps
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(atDestination)
      payload.put(leavesInManifest)
      payload.put(leavesRefaulted)
      payload.put(leavesResident)
      StepTime.write(steps, to: &payload)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      atDestination = try payload.flag("at destination")
      leavesInManifest = try payload.integer("leaves in manifest")
      leavesRefaulted = try payload.integer("leaves refaulted")
      leavesResident = try payload.integer("leaves resident")
      steps = try StepTime.read(from: &payload)
    }
  }

  public init(_ frame: Frame) throws(MessageError) {
    self =
      switch frame.type {
      case Mark.code: .mark(try Mark.read(frame))
      case HeldPages.code: .held(try HeldPages.read(frame))
      case ReportEnd.code: .reportEnd(try ReportEnd.read(frame))
      case Revoke.code: .revoke(try Revoke.read(frame))
      case Heartbeat.code: .heartbeat(try Heartbeat.read(frame))
      case Progress.code: .progress(try Progress.read(frame))
      case Declined.code: .declined(try Declined.read(frame))
      case Resumed.code: .resumed(try Resumed.read(frame))
      default: throw .unknownType(frame.type)
      }
  }
}
