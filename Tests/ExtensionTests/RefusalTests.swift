import CGuestSystem
import HookLink
import Testing

@testable import Guardian
@testable import WiredTigerExtension

/// What the kernel refuses costs the hold, and neither the migration nor the database.
@Suite(.serialized) struct RefusalTests {
  @Test func aRingThatIsRefusedIsNamedAndTheCacheIsEvictedAllTheSame() throws {
    let name = "io_uring"
    let database = try DatabaseProcess(.init(documents: 20_000, refuses: name))
    defer { database.remove() }
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    let first = try guardian.accept()
    #expect(!first.holdsFrames && first.listsLeaves)
    #expect(first.notes.count { $0.contains("refuses \(name)") } == 1, "\(first.notes)")
    #expect(first.notes.count == 1)
    try database.tell("warm")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil && prepared.leavesEvicted > prepared.leavesInManifest * 9 / 10)
    #expect(prepared.notes.contains { $0.contains("refuses \(name)") })
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest && resumed.leavesInManifest > 0)
    try database.expectClean()
  }

  /// As systemd's SystemCallFilter= does it: who makes the call is ended.
  @Test(arguments: TestEngine.present)
  func aFilterThatKillsEndsNoDatabase(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 2000, refuses: "io_uring userfaultfd kill"))
    defer { database.remove() }
    let notes = try #require(guardian.registration).notes
    #expect(notes.contains { $0.contains("SystemCallFilter=") }, "\(notes)")
    try guardian.send(LocalMessage.SaveManifest(home: ""))
    #expect(try guardian.prepared().prepared.leavesInManifest > 0)
    #expect(try database.tell("read 500") == [500, 0])
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil && prepared.leavesEvicted > 0)
    #expect(
      prepared.notes.contains { $0.contains("the filter ends a program") }, "\(prepared.notes)")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  @Test func anUnfilteredDatabaseIsAskedWhenItRegisters() throws {
    let database = try DatabaseProcess(.init(documents: 10))
    defer { database.remove() }
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    #expect(try guardian.accept().notes == [])
    #expect(!KernelOffer.isFiltered(status: "Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n"))
    #expect(KernelOffer.isFiltered(status: "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"))
    #expect(!KernelOffer.isFiltered(status: "Name:\tx\n") && KernelOffer.isFiltered(status: ""))
  }

  /// As on Linux 6.1, which has neither UFFDIO_MOVE nor PAGEMAP_SCAN.
  @Test(arguments: ["userfaultfd", "userfaultfd pagemap_scan"])
  func withoutUserfaultfdLongRunsAreHeldAndTheRestIsSaid(calls: String) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(documents: 40_000, refuses: calls))
    defer { database.remove() }
    let cache = try database.tell("cache")[1]
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let pieces = try #require(held).pieces
    let bytes = pieces.reduce(0) { $0 + Int($1.length) }
    let evicted = cache * Int(prepared.leavesEvicted) / Int(prepared.leavesInManifest)
    #expect(bytes > evicted * 4 / 10 && evicted > cache / 4, "\(bytes) of \(evicted)")
    // What `leafcutter-guest doctor` shows as a degradation.
    let register = try #require(guardian.registration)
    #expect(register.holdsFrames)
    #expect(register.notes.contains { $0.contains("userfaultfd is refused") }, "\(register.notes)")
    let before = try frames(pieces, of: database)
    #expect(before.count > 1000)
    #expect(try database.tell("update 5000") == [5000])
    #expect(try database.tell("read 2000") == [2000, 0])
    #expect(try frames(pieces, of: database) == before)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  @Test func lockedMemoryThatIsLimitedIsSaidAndTheFramesGoBack() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(documents: 20_000, refuses: "memlock"))
    defer { database.remove() }
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil && prepared.leavesEvicted > 0)
    #expect(prepared.notes.contains { $0.contains("RLIMIT_MEMLOCK") }, "\(prepared.notes)")
    #expect(database.memory("VmPin") == 0)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// mlockall(MCL_CURRENT | MCL_FUTURE), as databases do that must not be swapped.
  @Test(arguments: TestEngine.present)
  func framesOfADatabaseThatLocksAllItsMemoryAreHeldAndComeBack(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 40_000, refuses: "swapping"))
    defer { database.remove() }
    #expect(database.memory("VmLck") > 0)
    let cache = try database.tell("cache")[1]
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let pieces = try #require(held, "\(prepared.notes)").pieces
    let bytes = pieces.reduce(0) { $0 + Int($1.length) }
    let evicted = cache * Int(prepared.leavesEvicted) / Int(prepared.leavesInManifest)
    #expect(bytes > evicted / 2 && evicted > cache / 4, "\(bytes) of \(evicted), \(prepared)")
    let before = try frames(pieces, of: database)
    #expect(try database.tell("update 5000") == [5000])
    #expect(try frames(pieces, of: database) == before)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// As with a vm.max_map_count that is small: mremap gets no further mapping, and UFFDIO_MOVE
  /// needs none.
  @Test func framesAreHeldWhereThereAreNoMappingsLeft() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 40_000))
    defer { database.remove() }
    let cache = try database.tell("cache")[1]
    #expect(try database.tell("mappings 64")[0] > 10_000)
    let memory = database.memory("RssAnon")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    let evicted = cache * Int(prepared.leavesEvicted) / Int(prepared.leavesInManifest)
    #expect(bytes > evicted / 2 && evicted > cache / 4, "\(bytes) of \(evicted)")
    // What is evicted has not gone back to the kernel; the allocator gives back a little more at any time.
    #expect(database.memory("RssAnon") > memory - evicted / 4)
    #expect(try database.tell("read 2000") == [2000, 0])
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// Each has lost a place of the hold area for good, and there is room to remember 64.
  @Test func moreThreadsThanPlacesCanBeLostMeetTheLastMappingTogether() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 20_000))
    defer { database.remove() }
    try database.tell("stall 100")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let together = try database.tell("nostall")[0]
    #expect(together > 32, "\(prepared)")
    #expect(held != nil, "\(prepared)")
    #expect(try database.tell("read 2000") == [2000, 0])
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    // The area is gone, but for what may be anybody's.
    try guardian.prepare()
    #expect(try guardian.prepared().held != nil)
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  /// A burst of connections is when a database has none to spare.
  @Test(arguments: TestEngine.present)
  func aDatabaseWithoutADescriptorToSpareLivesOn(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    #expect(try database.tell("files")[0] > 500)
    try guardian.prepare()
    guard case .failed(let failed) = try guardian.next() else {
      Issue.record("it prepares")
      return
    }
    #expect(failed.reason.contains("descriptors to spare"))
    #expect(try database.tell("read 2000") == [2000, 0])
    try database.tell("nofiles")
    // With them it is a migration like any other.
    try guardian.prepare()
    #expect(try guardian.prepared().held != nil)
    try guardian.releaseAndResume()
    #expect(try database.tell("read 2000") == [2000, 0])
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aDatabaseThatForksDuringTheHoldKeepsItsFrames(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try guardian.prepare()
    let pieces = try #require(try guardian.prepared().held).pieces
    let before = try frames(pieces, of: database)
    #expect(before.count > 1000)
    let child = try database.tell("fork")[0]
    // Both go on and write to what they had in common.
    #expect(try database.tell("update 5000") == [5000])
    #expect(try database.tell("read 2000") == [2000, 0])
    #expect(try frames(pieces, of: database) == before)
    let common = database.memory("VmRSS") - before.count * 4096
    let own = DatabaseProcess.memory("VmRSS", of: pid_t(child))
    #expect(own < common + before.count * 1024, "the child has the hold too")
    #expect(try database.tell("endchild") == [1])
    #expect(try frames(pieces, of: database) == before)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// The child has every page in common with its parent, so none is the parent's alone to hold.
  @Test func memoryThatAChildHasTooIsHeldOnlyAsThisProcesssOwn() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 20_000))
    defer { database.remove() }
    try database.tell("fork")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(prepared.leavesEvicted > 0)
    // What the guardian would report: present, and of this process alone.
    if let held { #expect(try frames(held.pieces, of: database).count > 0) }
    #expect(try database.tell("verify")[1] == 0)
    #expect(try database.tell("endchild") == [1])
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  private struct HeldFrames: Equatable {
    var count: Int
    var pieces: [HeldPages]
  }

  /// The frames under the held pieces, every one of them the database's alone.
  private func frames(
    _ pieces: [LocalMessage.AddressRange], of database: DatabaseProcess
  ) throws -> HeldFrames {
    var frames = FrameSet()
    var candidates = ProbeCandidates([MemorySegment(start: 1 << 20, length: 1 << 50)])
    let process = Descriptor(owning: leafcutter_guest_pidfd_open(database.identifier))
    var reader = PagemapReader(try HeldMemoryFile(of: database.identifier, process))
    for piece in pieces { try reader.read(piece, of: 0, into: &frames, &candidates) }
    #expect(reader.refused == 0 && reader.unknown == 0)
    return HeldFrames(count: Int(frames.count), pieces: frames.pieces())
  }
}
