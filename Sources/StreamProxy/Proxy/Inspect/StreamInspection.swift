import FoundationEssentials
import PageFilter

/// What a recorded migration stream contains; what `leafcutter inspect` prints.
///
/// As JSON (``json``) the members are written in snake_case, lengths in bytes and offsets from the
/// beginning of the stream; members that are nil are left out. Of a migration that was recorded
/// channel by channel the members are sums over ``channels``, and an offset is one in its channel's
/// file.
public struct StreamInspection: Encodable, Sendable {
  public struct Block: Encodable, Sendable {
    public var name: String
    public var bytes: UInt64
    public var hostPageSize: UInt64?
    public var regionAddress: UInt64?
    /// On all channels.
    public var pages: Pages
  }

  /// One section id. FULL sections after the end of RAM are ``DeviceState``s.
  public struct Section: Encodable, Sendable {
    public var id: UInt32
    public var name: String
    public var instance: UInt32
    public var version: UInt32
    public var starts: Int
    public var parts: Int
    public var ends: Int
    public var fulls: Int
    public var bytes: UInt64
  }

  public struct Command: Encodable, Sendable {
    public var number: Int
    public var name: String
    public var count: Int
  }

  /// Pages by the kind of their record.
  public struct Pages: Encodable, Equatable, Sendable {
    /// Sent whole; query-migrate calls them normal.
    public var normal: Int
    /// Sent as ZERO records or on a multifd packet's zero list; query-migrate calls them duplicate.
    public var zero: Int
    /// Sent as XBZRLE deltas. The pages of query-migrate's xbzrle-cache are these and others, of which
    /// nothing was sent, or all.
    public var xbzrle = 0
    /// Sent compressed (`compress`, up to 9.0).
    public var compressed = 0

    static let none = Pages(normal: 0, zero: 0)

    static func += (sum: inout Pages, other: Pages) {
      sum.normal += other.normal
      sum.zero += other.zero
      sum.xbzrle += other.xbzrle
      sum.compressed += other.compressed
    }
  }

  public struct DeviceState: Encodable, Equatable, Sendable {
    public var id: UInt32
    public var name: String
    public var instance: UInt32
    public var version: UInt32
    public var offset: UInt64
    public var bytes: UInt64
  }

  public struct Share: Encodable, Equatable, Sendable {
    /// "preamble", "commands", a section's name, "device states", "end", "description",
    /// "COLO checkpoints", "multifd headers", "multifd pages", "multifd device states", "preempt records", or "unread".
    public var kind: String
    public var bytes: UInt64
  }

  /// Where and why the stream is not what QEMU would have written to its end.
  public struct Problem: Encodable, Equatable, Sendable {
    public var offset: UInt64
    public var sentence: String
    /// In which of several recorded channels.
    public var file: String?
    /// The channel only ends too early, and where a post-copy recovery can have gone on.
    var isBreak = false

    private enum CodingKeys: CodingKey { case offset, sentence, file }
  }

  public var bytes: UInt64
  /// The stream ends where it should, and everything in it is known.
  public var isComplete: Bool { problem == nil }
  public var problem: Problem?
  public var machine: String?
  public var targetPageSize: Int
  public var returnPath: Bool
  /// "background-snapshot" or "COLO", where it is no ordinary migration.
  public var mode: String?
  public var blocks: [Block]
  public var sections: [Section]
  public var commands: [Command]
  public var pages: Pages
  /// One for each pass over guest memory, as told by offsets that start again; none where pages come in
  /// any order: on post-copy's preempt channel, with `compress`, whose threads write them, and in a
  /// background snapshot, which sends what the guest is about to change first.
  public var rounds: [Pages]
  public var multifdFlushes: Int
  public var deviceStates: [DeviceState]
  /// What cannot be known about the device states or what is after them, where that is no damage.
  public var deviceStatesNote: String?
  /// Adds up to ``bytes``.
  public var bytesByKind: [Share]
  /// Every file, in the order in which they were given.
  public var channels: [Channel] = []

  init(_ editor: borrowing StreamEditor, tail: DeviceStates, problem: Problem?) {
    let counters = editor.counters
    bytes = counters.bytesIn
    self.problem = problem ?? tail.problem
    machine = editor.machine
    targetPageSize =
      editor.assumesPageSize ? tail.pageSize ?? editor.targetPageSize : editor.targetPageSize
    returnPath = counters.returnPathOpened
    mode =
      editor.isBackgroundSnapshot
      ? "background-snapshot" : editor.enablesCOLO ? "COLO" : nil
    blocks = editor.blocks.enumerated().map { index, block in
      Block(
        name: block.name, bytes: block.usedLength, hostPageSize: block.hostPageSize,
        regionAddress: block.regionAddress, pages: Pages(editor.blockPages[index]))
    }
    sections = editor.sections.map {
      Section(
        id: $0.id, name: $0.name, instance: $0.instance, version: $0.version, starts: $0.starts,
        parts: $0.parts, ends: $0.ends, fulls: $0.fulls, bytes: $0.bytes)
    }
    commands = editor.commands.sorted { $0.key < $1.key }.map {
      Command(number: $0.key, name: StreamInspection.commandName($0.key), count: $0.value)
    }
    pages = Pages(
      normal: counters.normalPages, zero: counters.zeroPages, xbzrle: counters.xbzrlePages,
      compressed: counters.compressedPages)
    let hasOrder = counters.compressedPages == 0 && !editor.isBackgroundSnapshot
    rounds = hasOrder ? editor.rounds.map { Pages($0) } : []
    multifdFlushes = counters.multifdFlushes
    deviceStates = tail.states
    deviceStatesNote = tail.note
    var shares = [
      Share(kind: "preamble", bytes: counters.preambleBytes),
      Share(kind: "commands", bytes: counters.commandBytes - editor.commandBytesToCome),
    ]
    shares += editor.sections.map { Share(kind: $0.name, bytes: $0.bytes) }
    shares += [
      Share(kind: "device states", bytes: tail.stateBytes),
      Share(kind: "end", bytes: tail.endBytes),
      Share(kind: "description", bytes: tail.descriptionBytes),
      Share(kind: "COLO checkpoints", bytes: tail.checkpointBytes),
    ]
    bytesByKind = StreamInspection.complete(shares, to: bytes)
  }

  /// A stream of which nothing is known but what will be added.
  init(targetPageSize: Int) {
    bytes = 0
    self.targetPageSize = targetPageSize
    returnPath = false
    blocks = []
    sections = []
    commands = []
    pages = .none
    rounds = []
    multifdFlushes = 0
    deviceStates = []
    bytesByKind = []
  }

  /// The shares that are any, with what is left of `bytes` as unread.
  static func complete(_ shares: [Share], to bytes: UInt64) -> [Share] {
    let known = shares.reduce(0) { $0 + $1.bytes }
    return (shares + [Share(kind: "unread", bytes: bytes - min(bytes, known))])
      .filter { $0.bytes > 0 }
  }

  /// `savevm.c:enum qemu_vm_cmd`.
  private static func commandName(_ number: Int) -> String {
    let names = [
      "invalid", "open-return-path", "ping", "postcopy-advise", "postcopy-listen", "postcopy-run",
      "postcopy-ram-discard", "packaged", "enable-colo", "postcopy-resume", "recv-bitmap",
      "switchover-start",
    ]
    return names.indices.contains(number) ? names[number] : "unknown"
  }

  private enum CodingKeys: CodingKey {
    case bytes, isComplete, problem, machine, targetPageSize, returnPath, mode, blocks, sections
    case commands
    case pages, rounds, multifdFlushes, deviceStates, deviceStatesNote, bytesByKind
    case channels
  }

  public func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encode(bytes, forKey: .bytes)
    try object.encode(isComplete, forKey: .isComplete)
    try object.encodeIfPresent(problem, forKey: .problem)
    try object.encodeIfPresent(machine, forKey: .machine)
    try object.encode(targetPageSize, forKey: .targetPageSize)
    try object.encode(returnPath, forKey: .returnPath)
    try object.encodeIfPresent(mode, forKey: .mode)
    try object.encode(blocks, forKey: .blocks)
    try object.encode(sections, forKey: .sections)
    try object.encode(commands, forKey: .commands)
    try object.encode(pages, forKey: .pages)
    try object.encode(rounds, forKey: .rounds)
    try object.encode(multifdFlushes, forKey: .multifdFlushes)
    try object.encode(deviceStates, forKey: .deviceStates)
    try object.encodeIfPresent(deviceStatesNote, forKey: .deviceStatesNote)
    try object.encode(bytesByKind, forKey: .bytesByKind)
    try object.encode(channels, forKey: .channels)
  }

  /// The form for programs.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}

extension StreamInspection.Pages {
  init(_ counted: RoundCounters) {
    self.init(
      normal: counted.normal, zero: counted.zero, xbzrle: counted.xbzrle,
      compressed: counted.compressed)
  }

  /// Of all kinds.
  var count: Int { normal + zero + xbzrle + compressed }
}
