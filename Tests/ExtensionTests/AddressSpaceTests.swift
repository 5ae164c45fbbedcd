import HookLink
import Testing

/// The hold area is address space, and some kernels count that as if it were memory.
@Suite(.serialized) struct AddressSpaceTests {
  @Test(arguments: TestEngine.present)
  func aSmallerAreaDoesWhereALargeOneIsNotToBeHad(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 40_000))
    defer { database.remove() }
    let cache = try database.tell("cache")[1]
    // Between half of what would be ample and all of it.
    let megabytes = database.memory("VmHWM") / (1 << 20) * 3 / 2 + 128
    try database.tell("space \(megabytes)")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    try #require(prepared.leavesInManifest > 0, "\(prepared)")
    let bytes = try #require(held, "\(prepared.notes)").pieces.reduce(0) { $0 + Int($1.length) }
    let evicted = cache * Int(prepared.leavesEvicted) / Int(prepared.leavesInManifest)
    #expect(bytes > evicted / 2 && evicted > cache / 4, "\(bytes) of \(evicted), \(prepared)")
    #expect(prepared.notes.contains { $0.contains("RLIMIT_AS") }, "\(prepared.notes)")
    #expect(try database.tell("read 2000") == [2000, 0])
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.tell("space 4096")
    try database.expectClean()
  }

  @Test func whereNoneIsToBeHadThatIsSaidAndTheCacheIsEvictedAllTheSame() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 40_000))
    defer { database.remove() }
    try database.tell("space 80")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil && prepared.leavesEvicted > 0)
    #expect(
      prepared.notes.contains { $0.contains("no frames are held") && $0.contains("RLIMIT_AS") },
      "\(prepared.notes)")
    // The cache itself has no room to grow in either.
    try database.tell("space 4096")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// A thread's stack may be had and its part of the allocator not: jemalloc ends the program then.
  @Test(arguments: [8, 16, 22, 24, 28, 32, 40])
  func aDatabaseWithoutRoomForAThreadIsNotEndedByOne(megabytes: Int) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 40_000))
    defer { database.remove() }
    try database.tell("space \(megabytes)")
    try guardian.prepare()
    do {
      let (held, prepared) = try guardian.prepared()
      #expect(held == nil && !prepared.notes.isEmpty && megabytes > 16)
      try database.tell("space 4096")
      let resumed = try guardian.releaseAndResume()
      #expect(resumed.leavesResident == resumed.leavesInManifest)
    } catch let refused as TestGuardian.Refused {
      #expect(refused.failed.reason.contains("RLIMIT_AS") && megabytes < 40)
      try database.tell("space 4096")
    }
    #expect(try database.tell("read 2000") == [2000, 0])
    try database.expectClean()
  }
}
