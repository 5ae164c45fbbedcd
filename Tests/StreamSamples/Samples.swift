/// The kinds of streams that are edited. Each has pages 1, 2 and 5 of block 0 in it at least twice,
/// so that there is something to drop, to pass and to drop again.
extension SampleStream {
  public static let editable: [SampleStream] = [
    preCopy(), preCopy(footers: false, configuration: false), severalBlocks(), ignoreShared(),
    hugePages(), postCopy(), multifdMarkers(), virtioMem(first: true), virtioMem(first: false),
    disks(), devices(), unknownCommand(), dirtyBitmapsPostcopy(),
  ]

  public static let ram = SampleStream.Block("pc.ram", pages: 9)
  public static let rom = SampleStream.Block("pc.bios", pages: 2)

  /// An ordinary migration in two rounds.
  public static func preCopy(
    pageBits: Int = 10, footers: Bool = true, configuration: Bool = true
  ) -> SampleStream {
    let short = !configuration
    var build = StreamBuilder(
      "pre-copy\(footers ? "" : " without footers")\(short ? " and configuration" : "")",
      pageBits: short ? 12 : pageBits)
    build.footers = footers
    if configuration { build.begin() } else { build.magic() }
    build.startRAM([ram, rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.firstRound(short: short)
    build.endOfSection()
    build.command(11)
    build.reopen(3, id: 2)
    build.lastRound(short: short)
    build.tail()
    return build.sample
  }

  /// Names of one byte and of 255, an empty section, and pages that go to and fro.
  static func severalBlocks() -> SampleStream {
    var build = StreamBuilder("several blocks")
    build.begin()
    build.startRAM(
      id: 1,
      [
        .init("r", pages: 9), .init(String(repeating: "n", count: 255), pages: 3), rom,
      ])
    build.endOfSection()
    build.reopen(2, id: 1)
    build.endOfSection()
    build.reopen(2, id: 1)
    for block in [0, 1, 0] {
      for page in [1, 2] { build.page(block, page) }
    }
    build.zero(2, 0)
    build.endOfSection()
    build.reopen(3, id: 1)
    build.lastRound()
    build.tail()
    return build.sample
  }

  /// - Parameter shared: of each of the two blocks, what QEMU 4.0 says of it.
  public static func ignoreShared(_ shared: [Bool?] = [nil, nil]) -> SampleStream {
    var build = StreamBuilder("x-ignore-shared and a UUID")
    build.magic()
    build.configuration()
    build.capabilities(["x-ignore-shared", "something-else"])
    build.uuid()
    build.command(1)
    build.startRAM([
      .init("ram-node0", pages: 9, regionAddress: 0, isShared: shared[0]),
      .init("ram-node1", pages: 2, regionAddress: 0x200_0000, isShared: shared[1]),
    ])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.tail(devices: [], description: false)
    return build.sample
  }

  static func hugePages() -> SampleStream {
    var build = StreamBuilder("huge pages")
    build.begin()
    build.command(3, [UInt8](repeating: 0, count: 16))
    build.startRAM([
      .init("ram0", pages: 9, hostPageSize: 0x20_0000), rom,
      .init("ram1", pages: 2, hostPageSize: 0x4000_0000),
    ])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.tail()
    return build.sample
  }

  public static func postCopy() -> SampleStream {
    var build = StreamBuilder("post-copy")
    build.begin()
    build.command(3, [UInt8](repeating: 0, count: 16))
    build.startRAM([ram, rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.command(11)
    for _ in 0..<2 {
      build.command(
        6, [0, 6] + Array("pc.ram".utf8) + [0] + [UInt8](repeating: 0, count: 32))
    }
    build.command(2, [0, 0, 0, 2])
    // The blob holds what would be sections and commands outside it.
    build.packaged([0x08, 0, 4, 0, 0, 0x04, 0x03, 0x02, 0x7e, 0x08, 0, 5, 0, 0])
    build.command(2, [0, 0, 0, 4])
    build.forgetBlock()
    build.reopen(2, id: 2)
    build.page(0, 5)
    build.page(0, 2)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.put(0x00)
    return build.sample
  }

  static func virtioMem(first: Bool) -> SampleStream {
    var build = StreamBuilder("virtio-mem \(first ? "before" : "after") RAM's START")
    build.begin()
    if first { build.earlyVirtioMem() }
    build.startRAM([ram, .init("0000:00:02.0/vmem0", pages: 70)])
    build.endOfSection()
    if !first { build.earlyVirtioMem() }
    build.reopen(2, id: 2)
    build.firstRound()
    build.page(1, 69)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.tail()
    return build.sample
  }

  static func unknownCommand() -> SampleStream {
    var build = StreamBuilder("a command of the future")
    build.begin()
    build.command(77, [0x01, 0x02, 0x7e])
    build.startRAM([ram, rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.command(300)
    build.reopen(3, id: 2)
    build.lastRound()
    build.tail()
    return build.sample
  }
}

extension StreamBuilder {
  mutating func firstRound(short: Bool = false) {
    zero(0, 0)
    page(0, 1)
    page(0, 2)
    if !short { page(0, 4) }
    page(0, 5)
    zero(0, 6)
    page(1, 0)
  }

  /// Block 0 again, and the EOS that closes RAM.
  mutating func lastRound(short: Bool = false) {
    page(0, 1)
    page(0, 2)
    zero(0, 5)
    if !short { page(0, 8) }
    endOfSection()
  }
}
