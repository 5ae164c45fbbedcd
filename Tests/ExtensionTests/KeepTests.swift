import HookLink
import Testing

@testable import WiredTigerExtension

/// A budget that a migration leaves in the cache.
@Suite(.serialized) struct KeepTests {
  @Test(arguments: TestEngine.present, [25, 60])
  func theShareAskedForStaysInTheCacheAndTheRestIsHeld(engine: TestEngine, percent: Int) throws {
    // Pages are counted as the engine does only when they have been read from the file.
    let setup = DatabaseProcess.Setup(engine: engine, documents: 60_000)
    let directory = try DatabaseProcess.fill(setup)
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    let resident = try database.tell("leaves")[0]
    let before = try database.tell("cache")
    try guardian.prepare(keepPercent: UInt8(percent))
    let (held, prepared) = try guardian.prepared()
    let left = try database.tell("leaves")[0]
    print("keep \(percent) % on \(engine): \(left) of \(resident) leaves left, \(prepared.steps)")
    #expect(prepared.leavesInManifest == UInt64(resident), "what stays is in the manifest too")
    let wanted = resident * percent / 100
    #expect(abs(left - wanted) <= resident / 10, "\(left) left, \(wanted) wanted")
    #expect(abs(Int(prepared.leavesEvicted) - (resident - wanted)) <= resident / 10)
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    #expect(bytes > before[1] * (100 - percent) * 8 / 10_000, "\(bytes) of \(before[1])")
    // What is kept stays while the migration lasts, though others are read.
    #expect(try database.tell("read 2000") == [2000, 0])
    #expect(try database.tell("leaves")[0] > wanted * 8 / 10)

    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == UInt64(resident))
    #expect(try database.tell("cache")[0] == before[0])
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aShareThatLeavesNothingToShrinkDoesNotChangeCacheSize(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 60_000, cacheMegabytes: 64))
    defer { database.remove() }
    let size = try database.tell("cache")[0]
    try guardian.prepare(cacheBytes: 32 << 20, keepPercent: 90)
    let prepared = try guardian.prepared().prepared
    #expect(try database.tell("cache")[0] == size)
    #expect(prepared.notesButOfRoom == [])
    try guardian.releaseAndResume()
    #expect(try database.tell("cache")[0] == size)
    try database.expectClean()
  }

  /// Whatever a guardian asks for of whatever is there: a trap would end the database.
  @Test func aBudgetIsNeverLargerThanItsCache() {
    let amounts: [UInt64] = [0, 1, 79, 100, 527, 7900, 52_700, 1 << 20, 1 << 40]
    for used in amounts {
      for percent in 0...95 as ClosedRange<UInt8> {
        for asked in [0, 1, 1 << 20, UInt64.max] as [UInt64] {
          let budget = CacheBudget(
            .init(cacheBytes: asked, threads: 1, keepPercent: percent),
            of: CacheUsage(limit: 1 << 30, used: used, dirty: 0))
          #expect(budget.size >= budget.content, "\(percent) % of \(used), \(asked) beside")
        }
      }
    }
  }
}
