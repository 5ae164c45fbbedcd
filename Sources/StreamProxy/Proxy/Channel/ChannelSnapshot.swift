import PageFilter

/// What a channel's thread tells the others, as of its last write.
public struct ChannelSnapshot: Sendable {
  public var counters = StreamCounters()
  public var bytesWritten = 0
  /// Bytes per second that the destination takes while it pushes back.
  public var wireRate: Double?
  /// In how many windows of time it has pushed back (``WireRate``).
  public var wireWindows = 0
  /// CPU time the editor took (``ParsingClock``), in nanoseconds.
  public var parsingNanoseconds: UInt64 = 0
  public var bypassReason: String?
  /// Bytes that may be absorbed and not yet sent (``BytesInFlight``).
  public var inFlight = BytesInFlight.smallest

  init() {}

  /// With multifd the offsets are on other channels, and each round ends with a synchronisation; the
  /// first one is in the START section.
  var rounds: Int { max(counters.rounds, counters.multifdFlushes - 1) }

  /// A channel that is passed on as it is.
  init(rawBytes bytes: Int, inFlight: Int) {
    self.inFlight = inFlight
    counters.bytesIn = UInt64(bytes)
    counters.bytesOut = UInt64(bytes)
    counters.rawBytes = UInt64(bytes)
    bytesWritten = bytes
  }

  /// Adds what another channel of the same migration has carried.
  mutating func add(_ other: ChannelSnapshot) {
    counters.bytesIn += other.counters.bytesIn
    counters.bytesOut += other.counters.bytesOut
    counters.rawBytes += other.counters.rawBytes
    counters.normalPages += other.counters.normalPages
    counters.zeroPages += other.counters.zeroPages
    counters.deadPagesMet += other.counters.deadPagesMet
    counters.droppedPages += other.counters.droppedPages
    counters.markCopies += other.counters.markCopies
    bytesWritten += other.bytesWritten
    parsingNanoseconds += other.parsingNanoseconds
    inFlight += other.inFlight
    bypassReason = bypassReason ?? other.bypassReason
    // They share the wire, so what each gets while it is full adds up.
    if let rate = other.wireRate { wireRate = (wireRate ?? 0) + rate }
    wireWindows += other.wireWindows
  }
}
