/// What becomes of one packet of a multifd channel: the header to write, and what to do with the
/// bytes that follow it. It is reused from packet to packet.
public struct MultifdPacket: Sendable {
  /// A run of payload bytes.
  public enum Run: Equatable, Sendable {
    case forward(Int)
    case discard(Int)
    /// The mark page: its bytes are to be given to ``MultifdEditor/passMark(_:)`` and then written.
    case mark(Int)
    /// A probe: its bytes are to be given to ``MultifdEditor/passProbe(_:number:)`` and then written.
    case probe(Int, number: Int)

    public var count: Int {
      switch self {
      case .forward(let count), .discard(let count), .mark(let count), .probe(let count, _): count
      }
    }
  }

  /// As it is to be written.
  public internal(set) var header: [UInt8] = []
  public internal(set) var runs: [Run] = []
  /// The channel is synchronised after this packet.
  public internal(set) var isSync = false
  /// The mark page is among its zero pages.
  public internal(set) var zeroesMark = false

  public init() {
    runs.reserveCapacity(128)
    header.reserveCapacity(2048)
  }

  /// Payload bytes that the source sends.
  public var payloadLength: Int { runs.reduce(0) { $0 + $1.count } }

  mutating func reset(header input: RawSpan, length: Int) {
    header.removeAll(keepingCapacity: true)
    for offset in 0..<length { header.append(input.bigEndian(UInt8.self, at: offset)) }
    runs.removeAll(keepingCapacity: true)
    isSync = false
    zeroesMark = false
  }

  mutating func append(_ run: Run) {
    switch (runs.last, run) {
    case (.forward(let before), .forward(let more)): runs[runs.count - 1] = .forward(before + more)
    case (.discard(let before), .discard(let more)): runs[runs.count - 1] = .discard(before + more)
    default: runs.append(run)
    }
  }

  mutating func put<Integer: FixedWidthInteger>(_ value: Integer, at offset: Int) {
    for byte in 0..<Integer.bitWidth / 8 {
      header[offset + byte] = UInt8(
        truncatingIfNeeded: value >> Integer(Integer.bitWidth - 8 - 8 * byte))
    }
  }
}
