import Foundation
import HookLink
import Testing

/// Transactions that are larger than the cache which a migration leaves, and smaller than the program's own.
@Suite(.serialized) struct LargeTransactionTests {
  /// Well below the fifth of the cache at which the engine would refuse them without a migration.
  private static let documents = 40_000
  private static let written = [documents, 0]

  @Test(arguments: TestEngine.present, [1, 32])
  func aTransactionThatBeginsWhileTheCacheIsSmallIsNotRolledBack(
    engine: TestEngine, megabytes: UInt64
  ) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 100_000))
    defer { database.remove() }
    let size = try database.tell("cache")[0]
    try guardian.prepare(cacheBytes: megabytes << 20)
    let prepared = try guardian.prepared().prepared
    #expect(prepared.leavesEvicted > prepared.leavesInManifest / 2)
    let small = try database.tell("cache")[0]
    #expect(small < size / 4, "\(small) bytes: \(prepared.notes)")
    #expect(
      try database.tell("write \(LargeTransactionTests.documents)")
        == LargeTransactionTests.written)
    #expect(try database.tell("commit") == [0])
    let raised = try database.tell("cache")[0]
    #expect(raised > small && raised <= size, "\(raised) bytes, \(small) before")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.notes.contains { $0.contains("made larger for writers") }, "\(resumed.notes)")
    #expect(try database.tell("cache")[0] == size)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aTransactionThatWasOpenBeforeThePrepareIsNotRolledBack(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 100_000))
    defer { database.remove() }
    let half = LargeTransactionTests.documents / 2
    #expect(try database.tell("write \(half)") == [half, 0])
    try guardian.prepare()
    _ = try guardian.prepared()
    #expect(try database.tell("write \(half)") == [half, 0])
    #expect(try database.tell("commit") == [0])
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func whereStatisticsAreOffTheyAreOnOnlyWhileTheCacheIsSmall(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 100_000, configuration: "statistics=(none)"))
    defer { database.remove() }
    try guardian.prepare()
    _ = try guardian.prepared()
    #expect(
      try database.tell("write \(LargeTransactionTests.documents)")
        == LargeTransactionTests.written)
    #expect(try database.tell("commit") == [0])
    try guardian.releaseAndResume()
    #expect(throws: DatabaseComplaint.self) { try database.tell("cache") }
  }

  @Test(arguments: TestEngine.present)
  func manySmallWritesLeaveTheCacheSmall(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 100_000))
    defer { database.remove() }
    try guardian.prepare(cacheBytes: 32 << 20)
    _ = try guardian.prepared()
    try database.tell("update 20000")
    let small = try database.tell("cache")[0]
    #expect(small < 40 << 20, "\(small) bytes")
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func besideAWriterTheCacheGetsSmallOnceItsLeavesAreWritten(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 200_000))
    defer { database.remove() }
    // A changed document here and there makes every leaf dirty.
    database.send("update 300000")
    try guardian.prepare(cacheBytes: 12 << 20)
    let prepared = try guardian.prepared().prepared
    #expect(
      prepared.leavesEvicted > prepared.leavesInManifest / 4 * 3,
      "\(prepared.leavesEvicted) of \(prepared.leavesInManifest): \(prepared.notes)")
    #expect(try database.answer() == [300_000])
    let cache = try database.tell("cache")[0]
    #expect(cache < 32 << 20, "\(cache >> 20) MiB: \(prepared.notes) \(prepared.steps)")
    try guardian.releaseAndResume()
    try database.expectClean()
  }
}
