/// Pages of one round over guest memory, by kind.
public struct RoundCounters: Equatable, Sendable {
  /// PAGE records, edited ones included.
  public var normal = 0
  /// ZERO records that QEMU sent.
  public var zero = 0
  /// PAGE records that became ZERO records.
  public var dropped = 0
  /// XBZRLE records, which only a reader follows.
  public var xbzrle = 0
  /// COMPRESS_PAGE records, likewise.
  public var compressed = 0

  public init() {}

  mutating func add(_ other: RoundCounters) {
    normal += other.normal
    zero += other.zero
    dropped += other.dropped
    xbzrle += other.xbzrle
    compressed += other.compressed
  }

  /// - Parameter kind: a flag of ``StreamFormat/RecordFlag``.
  mutating func count(_ kind: UInt64) {
    switch kind {
    case StreamFormat.RecordFlag.page: normal += 1
    case StreamFormat.RecordFlag.zero: zero += 1
    case StreamFormat.RecordFlag.xbzrle: xbzrle += 1
    default: compressed += 1
    }
  }
}

/// What one section id has carried.
public struct SectionCounters: Equatable, Sendable {
  public var id: UInt32
  public var name: String
  public var instance: UInt32
  public var version: UInt32
  public var starts = 0
  public var parts = 0
  public var ends = 0
  public var fulls = 0
  /// Headers and footers included; of a section that is not over only what was before.
  public var bytes: UInt64 = 0
}

/// Everything an operator may ask about the stream so far.
public struct StreamCounters: Equatable, Sendable {
  public var bytesIn: UInt64 = 0
  public var bytesOut: UInt64 = 0
  /// PAGE records (QAPI's "normal"), dropped ones and copies of the mark page included.
  public var normalPages = 0
  /// ZERO records that QEMU sent (QAPI's "duplicate").
  public var zeroPages = 0
  /// XBZRLE records, deltas to an earlier copy of the page, which only a reader follows.
  public var xbzrlePages = 0
  /// COMPRESS_PAGE records (up to 9.0), likewise.
  public var compressedPages = 0
  /// Records of pages that were dead when they were met, ZERO records included.
  public var deadPagesMet = 0
  /// PAGE records that became ZERO records.
  public var droppedPages = 0
  /// Passes over guest memory, told by offsets that start again.
  public var rounds = 0
  public var multifdFlushes = 0
  /// RAM sections' bodies that have ended.
  public var ramBodies = 0
  public var markCopies = 0
  /// The source has opened its return path.
  public var returnPathOpened = false
  public var postcopyAdvised = false
  public var switchoverStarted = false
  public var ramEnded = false
  /// How often all multifd channels have been synchronised. A source of 8.1 or later marks each time
  /// with MULTIFD_FLUSH, from the START section on; an older one, or machine type, means every end of
  /// a body (`multifd-flush-after-each-section`).
  public var multifdSyncs: Int { multifdFlushes > 0 ? multifdFlushes : ramBodies }
  /// Magic, version and configuration.
  public var preambleBytes: UInt64 = 0
  /// Commands with what they carry, PACKAGED's blob included.
  public var commandBytes: UInt64 = 0
  /// Sections that ended with a footer, which can be switched off.
  public var footers = 0
  /// Bytes from the first device state, or from the bypass, to the end.
  public var rawBytes: UInt64 = 0

  public init() {}
}
