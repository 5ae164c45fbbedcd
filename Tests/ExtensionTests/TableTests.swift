import HookLink
import LeafManifest
import Testing

/// Databases that hold more than row-store tables which stay as they are.
@Suite(.serialized) struct TableTests {
  @Test(arguments: TestEngine.present)
  func aColumnStoreIsNotListedButLeavesTheCacheAndThatIsSaid(engine: TestEngine) throws {
    let setup = DatabaseProcess.Setup(engine: engine, documents: 5000)
    let directory = try DatabaseProcess.fill(setup, ["table columns column 20000"])
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    #expect(try database.tell("rows columns") == [20_000])
    let before = try database.tell("cache")[1]
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    #expect(prepared.notes.contains { $0.contains("columns.wt is a column store") })
    let left = try database.tell("cache")[1]
    #expect(left < before / 4, "\(left) of \(before), \(prepared)")
    // Most of it is the column store's, so its pages are among what is held.
    #expect(bytes > before * 3 / 4, "\(bytes) of \(before)")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    #expect(try database.tell("rows columns") == [20_000])
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func anEncryptedDatabaseIsOnlyShrunkAndThatIsSaid(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(
        engine: engine, documents: 20_000, ownExtensions: ["test_encryptor"],
        configuration: "encryption=(name=test)"))
    defer { database.remove() }
    try database.tell("table secrets encrypted 2000")
    let before = try database.tell("cache")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(prepared.leavesListed == 0)
    // A table says so itself, or its pages do.
    #expect(prepared.notes.contains { $0.contains("is encrypted") }, "\(prepared.notes)")
    #expect(prepared.notes.contains { $0.contains("could not be listed") }, "\(prepared.notes)")
    #expect(held != nil)
    #expect(try database.tell("cache")[1] < before[1] / 4)
    try guardian.releaseAndResume()
    #expect(try database.tell("cache")[0] == before[0])
    #expect(try database.tell("rows secrets") == [2000])
    #expect(try database.tell("verify")[1] == 0)
  }

  /// The engine deletes leaves without reading them, and writes into the page above by whom and when.
  @Test(arguments: TestEngine.present)
  func leavesBesideTruncatedOnesThatAReaderStillSeesAreListed(engine: TestEngine) throws {
    let setup = DatabaseProcess.Setup(engine: engine, documents: 2000)
    let directory = try DatabaseProcess.fill(setup, ["table shortened row 20000"])
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    #expect(try database.tell("rows shortened") == [20_000])
    try database.tell("pin")
    #expect(try database.tell("cut shortened user4 user8") == [0])
    try guardian.prepare()
    let (_, prepared) = try guardian.prepared()
    #expect(prepared.notesButOfRoom == [])
    let manifest = try LeafManifest.read(fromHome: database.home)
    let table = try #require(manifest.tables.first { $0.uri == "file:shortened.wt" })
    // Less than 40 rows fill a leaf, and a quarter of them is gone.
    #expect(table.leaves.count > 15_000 / 40, "\(table.leaves.count) leaves")
    #expect(prepared.leavesEvicted > prepared.leavesInManifest * 9 / 10)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aTableThatIsDroppedDuringPrepareHarmsNothing(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try database.tell("table passing row 20000")
    #expect(try database.tell("rows passing") == [20_000])
    try guardian.prepare()
    // Refused while a cursor of ours is on it; sooner or later none is.
    var dropped = false
    for _ in 0..<10_000 where !dropped { dropped = try database.tell("drop passing") == [0] }
    #expect(dropped)
    #expect(try guardian.prepared().held != nil)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesRefaulted > 0)
    if resumed.leavesRefaulted < resumed.leavesInManifest {
      #expect(resumed.notes.contains { $0.contains("are gone or were created again") })
    }
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aCacheThatIsMostlyDirtyIsWrittenEvictedAndReadBack(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try database.tell("update 60000")
    let before = try database.tell("cache")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    #expect(bytes > before[1] / 2, "\(bytes) of \(before[1])")
    #expect(prepared.leavesEvicted > prepared.leavesInManifest * 9 / 10)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// Each with an index that the engine keeps in a file of its own kind.
  @Test(arguments: TestEngine.present)
  func manyTablesAndTheirIndexesAreListedEvictedHeldAndReadBack(engine: TestEngine) throws {
    let (tables, rows) = (300, 50)
    let setup = DatabaseProcess.Setup(engine: engine, documents: 5000)
    let directory = try DatabaseProcess.fill(setup, ["many \(tables) \(rows)"])
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    #expect(try database.tell("checkmany \(tables)") == [tables * rows, 0])
    let before = try database.tell("cache")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    // A table's rows fill more than one leaf, an index's less.
    #expect(prepared.leavesListed >= tables * 3, "\(prepared.leavesListed)")
    #expect(prepared.leavesInManifest == prepared.leavesListed)
    #expect(prepared.leavesEvicted > prepared.leavesInManifest * 9 / 10, "\(prepared)")
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    #expect(bytes > before[1] / 2, "\(bytes) of \(before[1])")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesRefaulted == resumed.leavesInManifest, "\(resumed.notes)")
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    #expect(try database.tell("cache")[0] == before[0])
    #expect(try database.tell("checkmany \(tables)") == [tables * rows, 0])
    try database.expectClean()
  }
}
