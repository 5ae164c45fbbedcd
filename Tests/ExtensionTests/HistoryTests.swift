import HookLink
import Testing

/// Databases that keep older versions of their documents (timestamps), which the engine moves to a table of
/// its own when it writes a page out.
@Suite(.serialized) struct HistoryTests {
  private static let rows = 20_000

  /// A search may evict a leaf, and that writes versions into a history store that is not in the cache. A read
  /// of it that fails ends the database.
  @Test(arguments: TestEngine.present)
  func aPreparedTransactionOverEveryLeafAndAColdHistoryStoreDoNotEndTheDatabase(
    engine: TestEngine
  ) throws {
    let setup = DatabaseProcess.Setup(engine: engine, documents: 2000)
    let directory = try DatabaseProcess.fill(setup, ["versions \(HistoryTests.rows)"])
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    #expect(try database.tell("warmversions") == [HistoryTests.rows])
    try database.tell("prepare \(HistoryTests.rows)")
    for _ in 0..<2 {
      try guardian.prepare()
      let (_, prepared) = try guardian.prepared()
      // They are in the cache, though no search of them succeeds. 11.3.1 itself lets some of them go.
      #expect(prepared.leavesInManifest > (engine == .debian ? 1000 : 0), "\(prepared)")
      try guardian.releaseAndResume()
    }
    #expect(try database.tell("endprepared") == [0])
    #expect(try database.tell("warmversions") == [HistoryTests.rows])
    #expect(!database.complaints.contains("WT_PANIC"), "\(database.complaints)")
    try database.expectClean()
  }
}
