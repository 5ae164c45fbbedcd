import FoundationEssentials

/// What follows the end of RAM in a recorded stream: FULL sections of device states, the EOF byte,
/// and the description that QEMU adds for its own tools (`savevm.c`, QEMU_VM_VMDESCRIPTION: a byte
/// 06, a length, and JSON that lists the devices).
///
/// Device states carry no length, so each one's end is searched for. With the description the next
/// device's header is known; it must stand right after the last one's footer. Without it a footer, which
/// names its section, counts where another header or the end of the stream follows it. So a stream that
/// was cut right after a device's value which spells that device's footer and a zero is taken for one that
/// carries no description, and the note says so.
struct DeviceStates {
  /// What is searched.
  struct Tail {
    /// From the first device state, or the EOF byte, on.
    var bytes: [UInt8]
    /// Of `bytes` in the stream.
    var offset: UInt64
    /// What the stream has after `bytes`.
    var bytesAfter: UInt64 = 0
    var hasFooters: Bool
    /// Checkpoints follow the description.
    var isCOLO = false
    /// Names of device states that came before RAM; the description lists them too.
    var early: Set<String> = []
  }

  var states: [StreamInspection.DeviceState] = []
  /// The sections of those that were found by their footers.
  var sections: Set<UInt32> = []
  private(set) var note: String?
  var problem: StreamInspection.Problem?
  private(set) var stateBytes: UInt64 = 0
  private(set) var endBytes: UInt64 = 0
  private(set) var descriptionBytes: UInt64 = 0
  private(set) var checkpointBytes: UInt64 = 0
  /// The target's, in bytes, where there is a description that tells it.
  private(set) var pageSize: Int?

  let stream: Tail
  var tail: [UInt8] { stream.bytes }

  /// - Parameter tail: nil where the stream has not come to its device states.
  init(tail: Tail?) {
    stream = tail ?? Tail(bytes: [], offset: 0, hasFooters: true)
    guard let first = stream.bytes.first else { return }
    guard first == 0x04 || first == 0x00 else {
      let type = String(first, radix: 16)
      fail(at: 0, "element type 0x\(type) after the end of RAM is not known")
      return
    }
    if let found = findDescription() {
      descriptionBytes = UInt64(found.range.count)
      find(
        found.content.devices.filter { !stream.early.contains($0.name) },
        before: found.range.lowerBound - 1)
      take(pageSize: found.content.pageSize, at: found.range.lowerBound)
      readCheckpoints(from: found.range.upperBound)
    } else if stream.bytesAfter > 0 {
      fail(
        at: stream.bytes.count,
        "the device states are longer than \(stream.bytes.count) bytes, and are not looked at")
    } else {
      findWithoutDescription()
    }
  }

  private mutating func findWithoutDescription() {
    let last = tail.count - 1
    if tail.count == 1, tail[0] == 0 {
      // Post-copy: the states have travelled in PACKAGED.
      endBytes = 1
    } else if stream.hasFooters {
      guard findByFooters() else {
        return fail(
          at: tail.count, "the stream ends inside the device states or their description")
      }
      close(before: last)
      note = """
        the stream carries no description of its device states (suppress-vmdesc), or ends before it
        """
    } else {
      fail(
        at: tail.count,
        """
        the device states have neither footers (send-section-footer) nor a description \
        (suppress-vmdesc), so it cannot be known whether they are whole
        """)
    }
  }

  /// A multifd packet's header is as long as the size makes it, so one that no target has must not be used.
  private mutating func take(pageSize size: Int?, at position: Int) {
    guard let size else { return }
    guard (1024...65536).contains(size), size.nonzeroBitCount == 1 else {
      guard problem == nil else { return }
      return fail(
        at: position,
        "the description of the device states names pages of \(size) bytes, which no target has")
    }
    pageSize = size
  }

  private mutating func readCheckpoints(from position: Int) {
    checkpointBytes = UInt64(tail.count - position) + stream.bytesAfter
    guard checkpointBytes > 0, problem == nil else { return }
    note = """
      COLO's checkpoints, which follow the first copy, are not read, and where they are cut is not known
      """
  }

  private mutating func find(_ devices: [Description.Device], before end: Int) {
    guard tail[end] == 0x00 else {
      return fail(
        at: end, "no end-of-stream byte stands before the description of the device states")
    }
    guard findStates(devices, before: end) else { return }
    if let last = states.last, stream.hasFooters, !isFooter(of: last.id, before: end) {
      fail(at: end, "the last device state, '\(last.name)', does not end with its footer")
    }
    guard !states.isEmpty || end == 0 else {
      return fail(at: 0, "the description lists none of the device states that begin here")
    }
    close(before: end)
  }

  /// All states have been found, and `end` is where the EOF byte stands.
  private mutating func close(before end: Int) {
    close(at: end)
    endBytes = 1
    stateBytes = UInt64(end)
  }
}
