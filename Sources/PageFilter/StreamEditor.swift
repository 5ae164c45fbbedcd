/// Parser and editor of QEMU's main migration channel: bytes in, decisions out.
///
/// It is a value without I/O, clock or threads. Its caller keeps the input buffer, presents what is
/// not consumed again with more after it, writes what the ``EditList`` says, and is told at named
/// stop points that it has something to wait for, to learn or to judge. Only two edits are ever made: a PAGE
/// record of a dead page becomes a ZERO record in its place, and the verdict is put over copies of
/// the mark page. The format is that of QEMU 7.2 to 11 (`migration/savevm.c`, `migration/ram.c`).
///
/// Something it does not know: before its first dropped page it goes to bypass, which forwards everything to come,
/// and says so, because with multifd pages are dropped elsewhere; after it, and before RAM has ended, it throws; after
/// the end of RAM it forwards.
public struct StreamEditor: ~Copyable {
  /// Where the caller waits or judges.
  public enum StopPoint: Equatable, Sendable {
    /// The MEM_SIZE list has been read: ``blocks`` is complete.
    case blockListKnown
    /// The next record is the first page of the migration; it has not been consumed.
    case firstPageRecord
    /// The next record is the EOS that closes RAM's END section: pre-copy's point of no return.
    case endOfRAM
    /// The next element lets the guest run at the destination: post-copy's point of no return.
    case postcopySwitchover
    /// This probe, by its number among those that are watched, has just been consumed, and for the
    /// first time it was what it should be.
    case probePassed(Int)
    /// Something is not known (``bypassReason``): from here on everything is forwarded as it is. Nothing of it has
    /// been consumed.
    case bypass
  }

  /// How far one call came. `consumed` bytes of the input are done with; the rest is to be
  /// presented again.
  public enum Progress: Equatable, Sendable {
    case needsInput(consumed: Int)
    case reached(StopPoint, consumed: Int)
    /// The edit list is full: write it, reset it, call again.
    case outputFull(consumed: Int)
  }

  /// No element needs more bytes than this to be consumed; given as many, a call makes progress.
  public static let longestElement = 128 * 1024

  /// The RAM blocks, in the stream's order; complete from ``StopPoint/blockListKnown`` on.
  public internal(set) var blocks: [RAMBlock] = []
  public internal(set) var counters = StreamCounters()
  /// Sections in the order of their first appearance; FULL ones after the end of RAM are not seen.
  public internal(set) var sections: [SectionCounters] = []
  /// How often each command was seen, by number.
  public internal(set) var commands: [Int: Int] = [:]
  public internal(set) var rounds: [RoundCounters] = []
  /// Pages of each of ``blocks``.
  public internal(set) var blockPages: [RoundCounters] = []
  /// The machine type of the configuration, e.g. "pc-q35-10.0".
  public internal(set) var machine: String?
  public internal(set) var bypassReason: BypassReason?
  /// Offset in the stream at which the bypass began.
  public internal(set) var bypassOffset: UInt64?
  /// The first thing that was not recognised after a point of no return, and its offset. From there on everything
  /// is passed on, whatever it is.
  public internal(set) var unread: (reason: BypassReason, offset: UInt64)?
  /// The last copy of the mark page as the guest wrote it; nil before the first, and where the last
  /// thing that passed for its address was no copy of it.
  public internal(set) var lastMarkCopy: [UInt8]?
  /// How often something has passed for the mark page's address.
  public internal(set) var markPassages = 0
  /// ``StreamCounters/multifdSyncs`` when the last of it passed.
  public internal(set) var lastMarkSyncs = 0

  var state = State.preamble
  var ignoresShared = false
  /// Whether the list of blocks is QEMU 4.0's; nil before its first entry, and only a reader looks.
  var listsShared: Bool?
  var blockIndices: [[UInt8]: Int] = [:]
  var sectionIndices: [UInt32: Int] = [:]
  var ramSection: UInt32?
  var openSection: UInt32 = 0
  /// Offset in the stream of the element that is being read; nil in the preamble.
  var elementStart: UInt64?
  var inRAMEnd = false
  var seenFirstPage = false
  var passedSwitchover = false
  var isPreempt = false
  /// Nothing is ever dropped, so what forbids an edit is read on (``init(readsOnly:)``).
  var readsOnly = false
  /// RAM had no END: a background snapshot's device states have begun. Only a reader follows one.
  public internal(set) var isBackgroundSnapshot = false
  /// No configuration and no page has told the target's page size yet. Only a reader asks the pages.
  public internal(set) var assumesPageSize = false
  /// A name that no list of blocks has announced becomes a block.
  var learnsBlocks = false
  /// Offset in the stream after what PACKAGED carries.
  var packageEnd: UInt64?
  /// The stop that has been reported and is to be passed by the next call.
  var passing: StopPoint?

  // What the page loop needs, kept out of arrays.
  var targetPageBits: UInt64 = 12
  var currentBlock = -1
  var currentPages: UInt64 = 0
  var currentDead = DeadPages.Block.empty
  /// The first watched page that can come; pages before it are none.
  var currentWatched = UInt64.max
  var lastPage: UInt64 = 0
  var lastBlock = -1
  var dead: DeadPages?
  var watched = WatchedPages()
  var probesPassed: [Bool] = []

  enum State: Equatable {
    case preamble
    case configuration
    case configurationSubsections
    case element
    case footer
    case ramRecords
    case blockList(remaining: UInt64)
    case dirtyBitmap
    case vfio
    case diskBlocks
    case hashTable(HashTablePart)
    case storageAttributes
    /// Forward this many bytes, then go on.
    indirect case forward(UInt64, then: State)
    /// Device states, or a bypass: forward for ever.
    case raw
  }

  /// What one step of the parser came to.
  enum StepResult {
    case done
    case needsInput
    case stop(StopPoint)
  }

  public init() {}

  /// From now on PAGE records of these pages become ZERO records.
  ///
  /// - Precondition: it is no reader (``init(readsOnly:)``).
  public mutating func install(_ dead: DeadPages) {
    precondition(!readsOnly, "a reader drops nothing")
    self.dead = dead
    enterBlock(currentBlock)
  }

  /// Size in bytes of the pages that the stream speaks of, known from ``StopPoint/blockListKnown`` on.
  /// ``DeadPages`` and ``MarkRule`` count in these.
  public var targetPageSize: Int { 1 << Int(targetPageBits) }

  public var hasDropped: Bool { counters.droppedPages > 0 }

  /// Consumes what it can of `input` and says in `edits` what becomes of it.
  ///
  /// - Throws: ``StreamError`` where the migration must fail.
  public mutating func process(
    _ input: RawSpan, into edits: inout EditList
  ) throws(StreamError) -> Progress {
    let before = edits.byteCount
    var position = 0
    defer {
      counters.bytesIn += UInt64(position)
      counters.bytesOut += UInt64(edits.byteCount - before)
    }
    while true {
      guard edits.hasRoom else { return .outputFull(consumed: position) }
      let from = position
      do throws(BypassReason) {
        switch try step(input, &position, &edits) {
        case .done: continue
        case .needsInput: return .needsInput(consumed: position)
        case .stop(let stop):
          passing = stop
          return .reached(stop, consumed: position)
        }
      } catch {
        // A step that fails has consumed whole elements only, so the rest can be forwarded as it is.
        if counters.ramEnded || passedSwitchover {
          unread = (error, counters.bytesIn + UInt64(position))
          state = .raw
        } else if hasDropped {
          throw StreamError(offset: counters.bytesIn + UInt64(max(from, position)), reason: error)
        } else {
          bypassReason = error
          bypassOffset = counters.bytesIn + UInt64(position)
          state = .raw
          return .reached(.bypass, consumed: position)
        }
      }
    }
  }

  /// What the stream ended in the middle of, or nil where it ended well.
  public func truncation() -> String? {
    switch state {
    case .raw: nil
    case .preamble, .configuration, .configurationSubsections:
      "the stream ended inside its preamble"
    case .ramRecords, .blockList: "the stream ended inside a RAM section"
    default:
      counters.ramEnded
        ? "the stream ended between the end of RAM and the device states"
        : "the stream ended before the end of RAM"
    }
  }

  private mutating func step(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    switch state {
    case .preamble: try readPreamble(input, &position, &edits)
    case .configuration: try readConfiguration(input, &position, &edits)
    case .configurationSubsections:
      try readConfigurationSubsection(input, &position, &edits)
    case .element: try readElement(input, &position, &edits)
    case .footer: try readFooter(input, &position, &edits)
    case .ramRecords: try readRAMRecords(input, &position, &edits)
    case .blockList(let remaining):
      try readBlockListEntry(input, &position, &edits, remaining: remaining)
    case .dirtyBitmap: try readDirtyBitmap(input, &position, &edits)
    case .vfio: try readVFIO(input, &position, &edits)
    case .diskBlocks: try readDiskBlocks(input, &position, &edits)
    case .hashTable(let part): try readHashTable(input, &position, &edits, part)
    case .storageAttributes: try readStorageAttributes(input, &position, &edits)
    case .forward(let count, let next):
      forwardCounted(input, &position, &edits, count: count, then: next)
    case .raw: forwardRest(input, &position, &edits)
    }
  }
}
