/// The one page of guest memory by which both sides know where they stand.
///
/// Shared by guardian, keeper and the database's hold library (a memfd), pinned, and rewritten every
/// 20 ms, so that the last copy that QEMU sends equals the page when the guest stopped.
///
/// | offset | size | field | written by |
/// |---|---|---|---|
/// | 0 | 16 | ``signature`` | guardian, once |
/// | 16 | 16 | nonce: the ``MigrationID`` (two 64-bit words, high first) | guardian, once |
/// | 32 | 8 | state word, ``State`` | guardian, keeper, library |
/// | 40 | 8 | counter, advanced with every heartbeat | guardian |
/// | 48 | 8 | the guest's CLOCK_MONOTONIC in nanoseconds at that heartbeat | guardian |
/// | 64 | 16 | ``verdictSignature``, or zero | the proxy, in the copies only |
/// | 80 | 16 | the migration the verdict speaks of, or zero | the proxy, in the copies only |
///
/// Words are little-endian. The rest of the page is zero. The source's own page never carries a
/// verdict: whoever reads one runs at the destination.
public struct MarkPage: Equatable, Sendable {
  public static let size = 4096

  public enum Offset {
    public static let signature = 0
    public static let nonce = 16
    public static let state = 32
    public static let counter = 40
    public static let time = 48
    public static let verdict = 64
  }

  /// What is zero in every copy that the guest has written: all behind the three words.
  public static let zeroes = 56..<size

  /// What the holders promise. Any other word is a page that is not the mark (any more).
  public enum State: UInt64, Sendable {
    /// Every reported frame that was not revoked is still held.
    case holding = 0x474e_4944_4c4f_482d
    /// The frames are asked back and whoever wants them may not wait for the answer: until it has come,
    /// nothing is promised.
    case withdrawn = 0x5741_5244_4854_4957
    /// Frames may have been let go without an acknowledgement.
    case released = 0x4445_5341_454c_4552
  }

  /// "leafcutter mark" and a zero byte.
  public static let signature: [UInt8] = Array("leafcutter mark\0".utf8)
  /// "at destination" and two zero bytes.
  public static let verdictSignature: [UInt8] = Array("at destination\0\0".utf8)

  public var nonce: MigrationID
  /// nil when the state word is none of the three.
  public var state: State?
  public var counter: UInt64
  public var time: UInt64
  /// The migration whose destination this page says it is at, if any.
  public var verdict: MigrationID?

  /// Reads a copy of the page; nil where the signature is missing or the copy is too short.
  public init?(parsing page: [UInt8]) {
    guard page.count >= 96, page.starts(with: MarkPage.signature) else { return nil }
    func word(_ offset: Int) -> UInt64 {
      (0..<8).reduce(0) { $0 | UInt64(page[offset + $1]) << UInt64($1 * 8) }
    }
    nonce = MigrationID(high: word(Offset.nonce), low: word(Offset.nonce + 8))
    state = State(rawValue: word(Offset.state))
    counter = word(Offset.counter)
    time = word(Offset.time)
    let speaks = page[Offset.verdict..<Offset.verdict + 16].elementsEqual(MarkPage.verdictSignature)
    verdict =
      speaks
      ? MigrationID(high: word(Offset.verdict + 16), low: word(Offset.verdict + 24)) : nil
  }

  /// The bytes from ``Offset/signature`` by which a copy is recognised: signature and nonce.
  public static func identification(for migration: MigrationID) -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(migration)
    return signature + writer.bytes
  }

  /// The bytes the proxy writes at ``Offset/verdict`` of every copy that passes.
  public static func verdict(for migration: MigrationID) -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(migration)
    return verdictSignature + writer.bytes
  }
}
