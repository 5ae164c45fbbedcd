import HookLink
import Testing

@testable import StreamProxy

private let gib: UInt64 = 1 << 30
private let mib: UInt64 = 1 << 20

/// A segment, written short.
private func segment(
  _ start: UInt64, to end: UInt64, _ block: String, at offset: UInt64, index: Int = 0
) -> GuestMemoryMap.Segment {
  GuestMemoryMap.Segment(
    guestPhysicalStart: start, length: end - start, block: index, blockName: block,
    offsetInBlock: offset)
}

/// The known rules are those of pc_piix.c:pc_init1, pc_q35.c:pc_q35_init and microvm.c; a page above
/// the hole that is taken for one below it is silent corruption.
@Suite struct MemoryMapTests {
  @Test(arguments: [MemoryFixture.i440fx5G, .i440fx5GQEMU7])
  func i440fxPutsWhatIsAboveThreeGiBAtFourGiB(fixture: MemoryFixture) throws {
    let map = try fixture.map()
    #expect(
      map.segments == [
        segment(mib, to: 3 * gib, "pc.ram", at: mib),
        segment(4 * gib, to: 6 * gib, "pc.ram", at: 3 * gib),
      ])
    #expect(map.blocks == [.init(name: "pc.ram", usedLength: 5 * gib, pageSize: 4096)])
  }

  @Test func i440fxSplitsOnlyFrom3584MiB() throws {
    #expect(
      try MemoryFixture.i440fx3200M.map().segments == [
        segment(mib, to: 3200 * mib, "pc.ram", at: mib)
      ])
    #expect(
      try MemoryFixture.i440fx3584M.map().segments == [
        segment(mib, to: 3 * gib, "pc.ram", at: mib),
        segment(4 * gib, to: 4 * gib + 512 * mib, "pc.ram", at: 3 * gib),
      ])
  }

  @Test func q35SplitsOnlyFrom2816MiB() throws {
    #expect(
      try MemoryFixture.q352815M.map().segments == [
        segment(mib, to: 2815 * mib, "pc.ram", at: mib)
      ])
    for fixture in [MemoryFixture.q352816M, .q352816MQEMU7] {
      #expect(
        try fixture.map().segments == [
          segment(mib, to: 2 * gib, "pc.ram", at: mib),
          segment(4 * gib, to: 4 * gib + 768 * mib, "pc.ram", at: 2 * gib),
        ])
    }
    #expect(
      try MemoryFixture.q355G.map().segments == [
        segment(mib, to: 2 * gib, "pc.ram", at: mib),
        segment(4 * gib, to: 7 * gib, "pc.ram", at: 2 * gib),
      ])
  }

  @Test func firmwareThatMicrovmMapsAsRAMIsNotGuestRAM() throws {
    let map = try MemoryFixture.microvm5G.map()
    #expect(
      map.segments == [
        segment(mib, to: 3 * gib, "microvm.ram", at: mib),
        segment(4 * gib, to: 6 * gib, "microvm.ram", at: 3 * gib),
      ])
    #expect(map.locate(guestPhysicalPage: 0xfffe0) == nil)
  }

  @Test func aFrameBufferIsNotGuestRAM() throws {
    let map = try MemoryFixture.q35Booted.map()
    #expect(map.segments == [segment(mib, to: 512 * mib, "pc.ram", at: mib)])
    #expect(map.locate(guestPhysicalPage: 0xfd000) == nil)
  }

  @Test func theHoleMayFallInsideANUMANode() throws {
    let map = try MemoryFixture.numa.map()
    #expect(
      map.segments == [
        segment(mib, to: gib, "ram-node0", at: mib, index: 0),
        segment(gib, to: 2 * gib, "ram-node1", at: 0, index: 1),
        segment(4 * gib, to: 6 * gib, "ram-node1", at: gib, index: 1),
      ])
  }

  @Test(arguments: [MemoryFixture.dimm, .dimmQEMU7])
  func aDIMMIsGuestRAM(fixture: MemoryFixture) throws {
    #expect(
      try fixture.map().segments == [
        segment(mib, to: 256 * mib, "pc.ram", at: mib, index: 0),
        segment(4 * gib, to: 5 * gib, "memdimm0", at: 0, index: 1),
      ])
  }

  @Test(arguments: [MemoryFixture.virtioMem, .virtioMemQEMU7])
  func virtioMemTravelsUnderItsDevicePath(fixture: MemoryFixture) throws {
    #expect(
      try fixture.map().segments == [
        segment(mib, to: 256 * mib, "pc.ram", at: mib, index: 0),
        segment(4 * gib, to: 5 * gib, "0000:00:02.0/vmem0", at: 0, index: 1),
      ])
  }

  @Test func aPageIsFoundOnBothSidesOfTheHoleAndNotInIt() throws {
    let map = try MemoryFixture.i440fx5G.map()
    #expect(try #require(map.locate(guestPhysicalPage: 0xbffff)) == (0, 3 * gib - 4096))
    #expect(map.locate(guestPhysicalPage: 0xc0000) == nil)
    #expect(map.locate(guestPhysicalPage: 0xfffff) == nil)
    #expect(try #require(map.locate(guestPhysicalPage: 0x100000)) == (0, 3 * gib))
    #expect(try #require(map.locate(guestPhysicalPage: 0x17ffff)) == (0, 5 * gib - 4096))
    #expect(map.locate(guestPhysicalPage: 0x180000) == nil)
    #expect(map.locate(guestPhysicalPage: .max) == nil)
  }

  @Test func theFirstMiBIsInNoSegment() throws {
    #expect(try MemoryFixture.i440fx5G.map().locate(guestPhysicalPage: 0xff) == nil)
    #expect(try #require(MemoryFixture.i440fx5G.map().locate(guestPhysicalPage: 0x100)) == (0, mib))
  }

  /// system/memory.c:mtree_print_flatview appends the accelerator's name where it has a slot.
  @Test func theMarkThatKVMPutsAfterEveryRangeIsNoPartOfTheName() throws {
    let plain = MemoryFixture.i440fx5G
    let marked =
      plain
      .replacing(": pc.ram\n", with: ": pc.ram KVM\n")
      .replacing("@0000000000100000\n", with: "@0000000000100000 KVM\n")
      .replacing("@00000000c0000000\n", with: "@00000000c0000000 KVM KVM\n")
    #expect(marked.flatViews != plain.flatViews)
    #expect(try marked.map() == plain.map())
  }

  @Test func aRegionThatIsNotAMemoryBackendsIsNotGuestRAM() throws {
    var fixture = MemoryFixture.dimm
    fixture.memoryBackends = ["pc.ram"]
    #expect(try fixture.map().locate(guestPhysicalPage: 0x100000) == nil)
  }

  @Test func sharedMemoryOfAPCIDeviceIsNotGuestRAM() throws {
    var fixture = MemoryFixture.virtioMem
    fixture.memoryDevices = "[]"
    #expect(try fixture.map().locate(guestPhysicalPage: 0x100000) == nil)
  }

  @Test func aHugePageBlockHasItsPageSize() throws {
    var fixture = MemoryFixture.i440fx5G
    fixture.ramBlocks = fixture.ramBlocks.replacing("pc.ram    4 KiB", with: "pc.ram    2 MiB")
    #expect(try fixture.map().blocks.map(\.pageSize) == [2 * mib])
  }

  @Test func aBackendOfWhichTheBlockIsUnclearGivesNoMap() {
    var fixture = MemoryFixture.i440fx5G
    fixture.ramBlocks = fixture.ramBlocks.replacing("vga.vram", with: "pc.ram")
    #expect(
      throws: MemoryMapError.unclearBlock(
        region: "pc.ram", candidates: ["pc.ram", "0000:00:02.0/pc.ram"])
    ) { try fixture.map() }
  }

  @Test func aDeviceThatLiesElsewhereGivesNoMap() {
    var fixture = MemoryFixture.virtioMem
    fixture.memoryDevices = fixture.memoryDevices.replacing("4294967296", with: "8589934592")
    #expect(throws: MemoryMapError.self) { try fixture.map() }
  }

  @Test func aRangeBeyondItsBlockGivesNoMap() {
    let fixture = MemoryFixture.i440fx5G
      .replacing("pc.ram @00000000c0000000", with: "pc.ram @00000000c0001000")
    #expect(throws: MemoryMapError.self) { try fixture.map() }
  }

  @Test func twoAddressesForOnePageGiveNoMap() {
    let fixture = MemoryFixture.i440fx5G
      .replacing("pc.ram @00000000c0000000", with: "pc.ram @00000000b0000000")
    #expect(throws: MemoryMapError.self) { try fixture.map() }
  }

  @Test(arguments: ["", "Command not found\n", "FlatView #0\n AS \"I/O\", root: io\n"])
  func textOfAnotherFormGivesNoMap(text: String) {
    var fixture = MemoryFixture.i440fx5G
    fixture.flatViews = text
    #expect(throws: MemoryMapError.self) { try fixture.map() }
    fixture = .i440fx5G
    fixture.ramBlocks = text
    #expect(throws: MemoryMapError.self) { try fixture.map() }
  }

  @Test(arguments: ["(prio 0, ram) pc.ram @", "(prio 0, ram): pc.ram @x", "(0, ram): pc.ram @"])
  func aDamagedRangeOfRAMIsNotPassedOver(text: String) {
    let fixture = MemoryFixture.i440fx5G.replacing("(prio 0, ram): pc.ram @", with: text)
    #expect(throws: MemoryMapError.self) { try fixture.map() }
  }

  @Test func whatALaterReleasePrintsBesideRAMDoesNotCostTheMap() throws {
    let root = " Root memory region: system\n"
    let fixture = MemoryFixture.i440fx5G.replacing(
      root,
      with: root + """
          (attributes of a later release)
          00000000fd000000-00000000fdffffff (prio 1, i/o): pci @later
          00000000fe000000 [i/o] pci

        """)
    #expect(fixture.flatViews != MemoryFixture.i440fx5G.flatViews)
    #expect(try fixture.map().segments == MemoryFixture.i440fx5G.map().segments)
  }
}
