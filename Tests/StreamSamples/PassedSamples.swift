/// A stream in which nothing may be dropped, and words of the reason that an editor has to give.
public struct PassedSample: Sendable, CustomStringConvertible {
  public var stream: SampleStream
  public var reason: String
  /// What a reader makes of it; nil where it cannot follow it either.
  public var reading: Reading?

  public struct Reading: Sendable {
    public var xbzrle = 0
    public var compressed = 0
    /// Bytes from the first device state to the end.
    public var tail: Int
  }

  public var description: String { stream.name }
}

/// Kinds of streams that QEMU sends and that are passed on as they are; none has a page in front of
/// what forbids editing it.
extension PassedSample {
  public static let all: [PassedSample] =
    followed + [
      .init(stream: records("RDMA", [rdma]), reason: "flags 0xa0"),
      .init(stream: mappedRAM(), reason: "mapped-ram"),
      .init(stream: .recovery(), reason: "post-copy recovery"),
      .init(stream: encrypted(), reason: "not a QEMU migration stream"),
    ]

  /// Those that a reader follows.
  public static let followed: [PassedSample] = [
    followed(records("XBZRLE", [xbzrle, xbzrle, xbzrleOfZeroes]), "XBZRLE", xbzrle: 3),
    followed(
      records("compress", [compressed, compressed, incompressible]), "compressed pages",
      compressed: 3),
    followed(colo(), "COLO"), followed(backgroundSnapshot(), "'timer'"),
    followed(hashTable(), "'spapr/htab'"), followed(noHashTable(), "'spapr/htab'"),
    followed(storageAttributes(), "'s390-storage_attributes'"),
  ]

  private static func followed(
    _ stream: SampleStream, _ reason: String, xbzrle: Int = 0, compressed: Int = 0
  ) -> PassedSample {
    // The builder's first device state.
    let name: [UInt8] = [0x04, 0, 0, 0, 40, 5] + Array("timer".utf8)
    let start = stream.bytes.indices.first { stream.bytes[$0...].starts(with: name) }!
    return .init(
      stream: stream, reason: reason,
      reading: .init(xbzrle: xbzrle, compressed: compressed, tail: stream.bytes.count - start))
  }

  /// Records in the first round, after zero pages that name the block.
  private static func records(
    _ name: String, _ bodies: [(inout StreamBuilder) -> Void]
  ) -> SampleStream {
    var build = StreamBuilder(name)
    build.begin()
    build.startRAM([SampleStream.ram, SampleStream.rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.zero(0, 0)
    for body in bodies { body(&build) }
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.tail()
    return build.sample
  }

  /// A flag byte, a length and runs of zeroes and bytes (`migration/xbzrle.c`).
  private static func xbzrle(_ build: inout StreamBuilder) {
    build.header(0x040, block: 0, page: 1)
    build.put(1)
    build.put(integer: UInt16(6))
    build.put([4, 3, 0x7e, 0, 0, 9])
  }

  /// As long as a page, of another block.
  private static func xbzrleOfZeroes(_ build: inout StreamBuilder) {
    build.header(0x040, block: 1, page: 1)
    build.put(1)
    build.put(integer: UInt16(1024))
    build.put([UInt8](repeating: 0, count: 1024))
  }

  /// A length and a zlib stream.
  private static func compressed(_ build: inout StreamBuilder) {
    build.header(0x100, block: 0, page: 1)
    build.put(integer: UInt32(8))
    build.put([0x78, 0x01, 3, 0, 0, 0, 0, 1])
  }

  /// zlib-ng makes nine bits of each byte where nothing can be saved, and has nine bytes around them.
  private static func incompressible(_ build: inout StreamBuilder) {
    build.header(0x100, block: 0, page: 2)
    build.put(integer: UInt32(1024 / 8 * 9 + 9))
    build.put([UInt8](repeating: 0x5a, count: 1024 / 8 * 9 + 9))
  }

  private static func rdma(_ build: inout StreamBuilder) { build.header(0x080, block: 0, page: 1) }

  /// The command that begins it, the first copy, and a checkpoint after its description, with
  /// messages that are no elements of a stream (`migration/colo.c`).
  private static func colo() -> SampleStream {
    var build = StreamBuilder("COLO")
    build.begin()
    build.command(8)
    build.startRAM([SampleStream.ram, SampleStream.rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.tail()
    for message: UInt32 in [1, 3] { build.put(integer: message) }
    build.put([0x03, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x7e, 0, 0, 0, 2, 0])
    build.put(integer: UInt32(4))
    build.put(integer: UInt64(5))
    build.put([0x51, 0x45, 0x56, 0x4d, 0])
    return build.sample
  }

  /// Device states last, of the moment when it began, and RAM has no END.
  private static func backgroundSnapshot() -> SampleStream {
    var build = StreamBuilder("background-snapshot")
    build.begin()
    build.startRAM([SampleStream.ram, SampleStream.rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.zero(0, 0)
    build.endOfSection()
    build.tail()
    return build.sample
  }

  /// A file with pages at fixed places: each block is followed by a header of 28 bytes.
  private static func mappedRAM() -> SampleStream {
    var build = StreamBuilder("mapped-ram")
    build.magic()
    build.configuration()
    build.capabilities(["mapped-ram"])
    build.startRAM([SampleStream.ram])
    build.put([UInt8](repeating: 0, count: 28))
    build.endOfSection()
    build.tail()
    return build.sample
  }

  /// ppc64's hash table: its size, chunks with and without entries, and a last pass without any
  /// (`hw/ppc/spapr.c`).
  private static func hashTable() -> SampleStream {
    let chunk: [UInt8] = [0, 0, 0, 7, 0, 2, 0, 3] + [UInt8](repeating: 0x7e, count: 32)
    let invalid: [UInt8] = [0, 0, 0, 9, 0, 0, 0, 1]
    let end = [UInt8](repeating: 0, count: 8)
    return iterable(
      "spapr/htab", start: [0, 0, 0, 18], part: [0, 0, 0, 0] + chunk + invalid + end,
      end: [0, 0, 0, 0] + end)
  }

  /// A guest that translates by radix trees has none.
  private static func noHashTable() -> SampleStream {
    let none = [UInt8](repeating: 0xff, count: 4)
    var sample = iterable("spapr/htab", start: none, part: none, end: none)
    sample.name = "spapr/htab of a radix guest"
    return sample
  }

  /// An attribute for each of five pages from the 3rd on, and DONE (`hw/s390x/s390-stattrib.c`).
  private static func storageAttributes() -> SampleStream {
    let end: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1]
    return iterable(
      "s390-storage_attributes", start: end,
      part: [0, 0, 0, 0, 0, 0, 0x30, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0x7e, 0, 0, 0, 4] + end,
      end: [0, 0, 0, 0, 0, 0, 0, 8] + end)
  }

  /// What other architectures send beside RAM, without a length.
  private static func iterable(
    _ name: String, start: [UInt8], part: [UInt8], end: [UInt8]
  ) -> SampleStream {
    var build = StreamBuilder(name)
    build.begin()
    build.startRAM([SampleStream.ram, SampleStream.rom])
    build.endOfSection()
    build.open(1, id: 4, name, version: 1)
    build.put(start)
    build.close()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(2, id: 4)
    build.put(part)
    build.close()
    build.reopen(3, id: 2)
    build.lastRound()
    build.reopen(3, id: 4)
    build.put(end)
    build.close()
    build.tail()
    return build.sample
  }

  /// A TLS handshake record (RFC 8446, 5.1).
  private static func encrypted() -> SampleStream {
    var build = StreamBuilder("TLS")
    build.put([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])
    build.put((0..<200).map { UInt8(truncatingIfNeeded: $0 * 37) })
    return build.sample
  }
}
