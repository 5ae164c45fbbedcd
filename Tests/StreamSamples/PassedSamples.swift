/// A stream in which nothing may be dropped, and words of the reason that an editor has to give.
public struct PassedSample: Sendable, CustomStringConvertible {
  public var stream: SampleStream
  public var reason: String

  public var description: String { stream.name }
}

/// Kinds of streams that QEMU sends and that are passed on as they are; none has a page in front of
/// what forbids editing it.
extension PassedSample {
  public static let all: [PassedSample] = [
    .init(stream: records("XBZRLE", [xbzrle, xbzrle]), reason: "XBZRLE"),
    .init(stream: records("compress", [compressed]), reason: "compressed pages"),
    .init(stream: records("RDMA", [rdma]), reason: "flags 0xa0"),
    .init(stream: colo(), reason: "COLO"), .init(stream: backgroundSnapshot(), reason: "'timer'"),
    .init(stream: mappedRAM(), reason: "mapped-ram"),
    .init(stream: iterable("spapr/htab", [0, 0, 0, 18]), reason: "'spapr/htab'"),
    .init(
      stream: iterable("s390-storage_attributes", [0, 0, 0, 0, 0, 0, 0, 1]),
      reason: "'s390-storage_attributes'"),
    .init(stream: .recovery(), reason: "post-copy recovery"),
    .init(stream: encrypted(), reason: "not a QEMU migration stream"),
  ]

  /// Records in the first round, behind zero pages that name the block.
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

  /// A length and a zlib stream.
  private static func compressed(_ build: inout StreamBuilder) {
    build.header(0x100, block: 0, page: 1)
    build.put(integer: UInt32(8))
    build.put([0x78, 0x01, 3, 0, 0, 0, 0, 1])
  }

  private static func rdma(_ build: inout StreamBuilder) { build.header(0x080, block: 0, page: 1) }

  /// The command that begins it, and messages between checkpoints (`migration/colo.c`), which are no
  /// elements of a stream.
  private static func colo() -> SampleStream {
    var build = StreamBuilder("COLO")
    build.begin()
    build.command(8)
    build.startRAM([SampleStream.ram, SampleStream.rom])
    build.endOfSection()
    for message: UInt32 in [0, 1, 4] { build.put(integer: message) }
    build.reopen(3, id: 2)
    build.lastRound()
    build.put(integer: UInt64(123))
    return build.sample
  }

  /// Device states first, of the moment when it began, and RAM has no END.
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

  /// What other architectures send beside RAM, without a length.
  private static func iterable(_ name: String, _ body: [UInt8]) -> SampleStream {
    var build = StreamBuilder(name)
    build.begin()
    build.startRAM([SampleStream.ram, SampleStream.rom])
    build.endOfSection()
    build.open(1, id: 4, name, version: 1)
    build.put(body)
    build.close()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
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
