import HookLink
import Testing

@testable import StreamProxy

private let gib: UInt64 = 1 << 30

/// A run as the visitor gets it.
private struct Run: Equatable {
  var block: Int
  var pages: Range<UInt64>
}

extension GuestMemoryMap {
  fileprivate func runs(in piece: HeldPages) throws(ReportError) -> [Run] {
    var runs: [Run] = []
    try forEachRun(in: piece) { runs.append(Run(block: $0, pages: $1)) }
    return runs
  }
}

/// A piece with the given guest-physical pages set.
private func piece(from first: UInt64, bytes: Int = 64, _ pages: Range<UInt64>...) -> HeldPages {
  var piece = HeldPages(firstPage: first, bitmap: [UInt8](repeating: 0, count: bytes))
  for page in pages.joined() {
    piece.bitmap[Int(page - first) / 8] |= 1 << UInt8((page - first) % 8)
  }
  return piece
}

@Suite struct MemoryReportTests {
  @Test func runsAreFoundAtEveryEdgeOfBytesAndPieces() throws {
    let map = try MemoryFixture.i440fx5G.map()
    #expect(
      try map.runs(
        in: piece(from: 512, 512..<513, 515..<516, 519..<521, 528..<552, 1020..<1024)) == [
          Run(block: 0, pages: 512..<513), Run(block: 0, pages: 515..<516),
          Run(block: 0, pages: 519..<521), Run(block: 0, pages: 528..<552),
          Run(block: 0, pages: 1020..<1024),
        ])
    #expect(try map.runs(in: piece(from: 512, 512..<1024)) == [Run(block: 0, pages: 512..<1024)])
    #expect(try map.runs(in: piece(from: 512)) == [])
  }

  @Test func everyPageOfARandomBitmapIsVisitedOnceAndAtItsPlace() throws {
    let map = try MemoryFixture.q355G.map()
    var random = SystemRandomNumberGenerator()
    var held = piece(from: 0x100000, bytes: 4096)
    for index in held.bitmap.indices {
      held.bitmap[index] = UInt8.random(in: 0...255, using: &random)
    }
    var visited = Set<UInt64>()
    try map.forEachRun(in: held) { block, pages in
      #expect(block == 0)
      for page in pages { #expect(visited.insert(page).inserted) }
    }
    // 4 GiB of guest memory begin at 2 GiB of pc.ram.
    let start = 2 * gib / 4096
    var expected = Set<UInt64>()
    for (index, byte) in held.bitmap.enumerated() {
      for bit in 0..<8 where byte >> UInt8(bit) & 1 == 1 {
        expected.insert(start + UInt64(index * 8 + bit))
      }
    }
    #expect(visited == expected)
  }

  @Test func aRunThatCrossesBlocksIsCutThere() throws {
    let map = try MemoryFixture.numa.map()
    #expect(
      try map.runs(in: piece(from: 0x3fe00, bytes: 128, 0x3fffe..<0x40003)) == [
        Run(block: 0, pages: 0x3fffe..<0x40000), Run(block: 1, pages: 0..<3),
      ])
  }

  @Test func aPageInTheHoleRefusesThePieceAndNothingOfItIsVisited() throws {
    let map = try MemoryFixture.i440fx5G.map()
    var visited = 0
    #expect(throws: ReportError.outsideRAM(address: 0xc000_0000, region: nil)) {
      try map.forEachRun(in: piece(from: 0xbfe00, bytes: 128, 0xbfe00..<0xbfe01, 0xbffff..<0xc0001))
      { _, _ in visited += 1 }
    }
    #expect(visited == 0)
  }

  @Test func aPageBelowOneMiBIsRefused() throws {
    let map = try MemoryFixture.i440fx5G.map()
    #expect(throws: ReportError.belowOneMegabyte(address: 0xff000)) {
      try map.runs(in: piece(from: 0, 255..<258))
    }
  }

  @Test func aPageOfAFrameBufferIsRefusedByName() throws {
    let error = #expect(throws: ReportError.self) {
      try MemoryFixture.q35Booted.map().runs(in: piece(from: 0xfd000, 0xfd003..<0xfd004))
    }
    #expect(error == .outsideRAM(address: 0xfd00_3000, region: "vga.vram"))
    #expect(error?.description.contains("0xfd003000, which is vga.vram") == true)
  }

  @Test func pageNumbersAtTheEndOfTheirRangeAreRefusedAndDoNotTrap() throws {
    let map = try MemoryFixture.i440fx5G.map()
    for first in [UInt64(1) << 52 - 512, UInt64.max - 1023] {
      #expect(throws: ReportError.self) {
        try map.runs(in: HeldPages(firstPage: first, bitmap: [UInt8](repeating: 0xff, count: 64)))
      }
    }
  }

  @Test func aRevokeTakesWhatIsRAMAndPassesOverTheRest() throws {
    let map = try MemoryFixture.i440fx5G.map()
    var runs: [Run] = []
    map.forEachMappedRun(in: PageRange(first: 0, count: .max)) {
      runs.append(Run(block: $0, pages: $1))
    }
    #expect(
      runs == [
        Run(block: 0, pages: 0x100..<0xc0000), Run(block: 0, pages: 0xc0000..<0x140000),
      ])
  }
}

@Suite struct MemoryStreamListTests {
  private let list: [(name: String, usedLength: UInt64)] = [
    ("0000:00:02.0/vga.vram", 1 << 24), ("pc.ram", 5 * gib), ("/rom@etc/acpi/tables", 1 << 17),
  ]

  @Test func blocksAreCountedAsTheStreamCountsThem() throws {
    var map = try MemoryFixture.i440fx5G.map()
    let mismatch = map.adopt(streamBlocks: list)
    #expect(mismatch == nil)
    #expect(try map.runs(in: piece(from: 512, 512..<513)) == [Run(block: 1, pages: 512..<513)])
  }

  @Test func aROMBlockMayHaveGrown() throws {
    var other = list
    other[2].usedLength = 1 << 18
    #expect(try MemoryFixture.i440fx5G.map().check(against: other) == nil)
  }

  @Test func guestRAMOfAnotherLengthIsAMismatch() throws {
    var other = list
    other[1].usedLength = 4 * gib
    let sentence = try #require(try MemoryFixture.i440fx5G.map().check(against: other))
    #expect(sentence.contains("pc.ram 4294967296 bytes"))
  }

  @Test func aBlockThatQEMUDidNotNameIsAMismatch() throws {
    var map = try MemoryFixture.i440fx5G.map()
    let mismatch = map.adopt(streamBlocks: list + [("memdimm0", gib)])
    let sentence = try #require(mismatch)
    #expect(sentence.contains("memdimm0"))
    #expect(try map.runs(in: piece(from: 512, 512..<513)) == [Run(block: 0, pages: 512..<513)])
  }

  @Test func aBlockListedTwiceAndAListWithoutGuestRAMAreMismatches() throws {
    let map = try MemoryFixture.i440fx5G.map()
    #expect(map.check(against: list + [("pc.ram", 5 * gib)]) != nil)
    #expect(map.check(against: [list[0]]) != nil)
    #expect(map.check(against: []) != nil)
  }

  @Test func aPageInABlockThatTheStreamDoesNotListIsRefused() throws {
    var map = try MemoryFixture.dimm.map()
    let mismatch = map.adopt(streamBlocks: [("pc.ram", 256 << 20)])
    #expect(mismatch == nil)
    #expect(throws: ReportError.unknownToStream(address: 4 * gib, block: "memdimm0")) {
      try map.runs(in: piece(from: 0x100000, 0x100000..<0x100001))
    }
  }
}
