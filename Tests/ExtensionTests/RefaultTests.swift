import Foundation
import Glibc
import HookLink
import LeafManifest
import Testing

@testable import WiredTigerExtension

/// The way back into the cache, with clients beside it.
@Suite(.serialized) struct RefaultTests {
  @Test(arguments: TestEngine.present)
  func clientsReadsAreTimedAndTheRefaultSaysSo(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try database.tell("readers 2")
    for yields in [true, false] {
      try guardian.prepare()
      _ = try guardian.prepared()
      try guardian.release()
      try guardian.send(LocalMessage.Resume(threads: 4, leavesPerSecond: 0, yields: yields))
      let resumed = try guardian.resumed()
      #expect(resumed.leavesResident >= resumed.leavesInManifest * 99 / 100)
      #expect(
        resumed.notes.contains { $0.contains("reads of the program's own took") } == yields,
        "\(resumed.notes)")
    }
    #expect(try database.tell("latencies")[1] == 0)
    try database.tell("still")
    try database.expectClean()
  }

  /// As where a migration is cancelled and begun again.
  @Test(arguments: TestEngine.present)
  func aSecondMigrationBringsBackWhatTheFirstStillOwes(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try guardian.prepare()
    let first = try guardian.prepared().prepared
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 1, leavesPerSecond: 50))
    usleep(200_000)
    try guardian.prepare()
    #expect(try guardian.resumed().leavesRefaulted < first.leavesInManifest / 2)
    let second = try guardian.prepared().prepared
    #expect(second.leavesInManifest >= first.leavesInManifest)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesInManifest == second.leavesInManifest)
    #expect(resumed.leavesResident >= first.leavesInManifest * 99 / 100)
    // Nothing is owed any more.
    try guardian.prepare()
    #expect(try guardian.prepared().prepared.leavesInManifest == resumed.leavesResident)
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func leavesWhoseManifestCannotBeWrittenAreRememberedAndReadBack(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    let inTheWay = "\(database.home)/\(LeafManifest.fileName).new"
    try FileManager.default.createDirectory(atPath: inTheWay, withIntermediateDirectories: false)
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil && prepared.leavesInManifest > 0)
    #expect(
      prepared.notes.contains { $0.contains("there is no new manifest") }, "\(prepared.notes)")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesInManifest == prepared.leavesInManifest)
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try FileManager.default.removeItem(atPath: inTheWay)
    try database.expectClean()
  }

  /// The guardian goes away beside the eviction: nobody asks for the leaves then.
  @Test func aPrepareThatIsInterruptedLeavesNoColdCache() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 40_000))
    defer { database.remove() }
    let before = try database.tell("leaves")[0]
    try guardian.prepare()
    usleep(120_000)
    guardian.hangUp()
    var after = 0
    // Where it has come to hold already, it does so for half a minute.
    for _ in 0..<300 where after < before * 95 / 100 {
      usleep(200_000)
      after = try database.tell("leaves")[0]
    }
    #expect(after >= before * 95 / 100, "\(after) of \(before)")
    try database.expectClean()
  }

  @Test func neighboursInTheFileAreAskedForInOnePiece() {
    var leaves = LeafList()
    let gap = ReadAhead.largestGap
    // Two that touch, one after the largest gap, one after a larger one, and one at the end of all numbers.
    for (offset, size) in [
      (4096, 4096), (8192, 8192), (16384 + gap, 4096), (16384 + 2 * gap + 4097, 4096),
      (UInt64.max - 10, 4096),
    ] as [(UInt64, UInt32)] {
      leaves.append(offset: offset, size: size, key: [])
    }
    let last = 16384 + 2 * gap + 4097
    #expect(
      ReadAhead.pieces(leaves, 0..<5) == [4096..<16384 + gap + 4096, last..<last + 4096])
    #expect(ReadAhead.pieces(leaves, 1..<2) == [8192..<16384])
  }

  @Test func noMoreIsAskedForInOnePieceThanTheKernelTakes() {
    var leaves = LeafList()
    let size: UInt64 = 100 << 10
    for leaf in 0..<UInt64(10) { leaves.append(offset: leaf * size, size: UInt32(size), key: []) }
    let pieces = ReadAhead.pieces(leaves, 0..<10)
    #expect(pieces.allSatisfy { $0.count <= Int(ReadAhead.largestPiece) })
    #expect(pieces == [0..<4 * size, 4 * size..<8 * size, 8 * size..<10 * size])
  }

  @Test func aTableThatIsOpenForDirectReadsIsSeen() throws {
    let directory = try DatabaseProcess.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    // O_DIRECT of asm-generic/fcntl.h, which x86 has too.
    let direct: Int32 = 0o40000
    for (name, flags, expected) in [
      ("one.wt", 0, false), ("log.0001", direct, false), ("two.wt", direct, true),
    ] {
      // The path is zero-terminated for the time of the call.
      let file = unsafe open("\(directory)/\(name)", O_RDWR | O_CREAT | flags, 0o600)
      try #require(file >= 0)
      defer { close(file) }
      #expect(DatabaseControl.readsDirectly(home: directory) == expected, "\(name)")
    }
  }

  @Test(arguments: TestEngine.present)
  func theOperatorsLimitIsKeptAndProgressIsReported(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 40_000))
    defer { database.remove() }
    try guardian.prepare()
    let inManifest = try guardian.prepared().prepared.leavesInManifest
    try guardian.release()
    let before = guardian.progressCount
    let began = ContinuousClock.now
    try guardian.send(LocalMessage.Resume(threads: 4, leavesPerSecond: 500))
    let resumed = try guardian.resumed()
    let took = began.duration(to: .now)
    #expect(resumed.leavesResident == inManifest)
    #expect(took > .milliseconds(inManifest * 1900 / 1000), "\(inManifest) leaves in \(took)")
    #expect(took < .milliseconds(inManifest * 15), "\(inManifest) leaves in \(took)")
    #expect(guardian.progressCount - before >= 2)
    try database.expectClean()
  }
}
