import Foundation
import Glibc
import HookLink
import LeafManifest
import Testing

@testable import WiredTigerExtension

/// Leaves that are read back where something is in the way: no room in the cache, or damage.
@Suite(.serialized) struct RefaultObstacleTests {
  /// The threads that read leaves back wait for room that only the engine's end makes, and that for them.
  @Test(arguments: TestEngine.present, ["95", "15MB"])
  func anEngineIsClosedThoughATransactionLeavesNoRoomForLeaves(
    engine: TestEngine, trigger: String
  ) throws {
    var setup = DatabaseProcess.Setup(engine: engine, documents: 40_000)
    let directory = try saved(setup)
    setup.cacheMegabytes = 16
    let (kinds, target) = (["", "dirty_", "updates_"], trigger == "95" ? "90" : "14MB")
    setup.configuration = kinds.prefix(engine == .debian ? 2 : 3)
      .map { "eviction_\($0)trigger=\(trigger),eviction_\($0)target=\(target)" }
      .joined(separator: ",")
    let (database, guardian) = try open(setup, directory)
    defer { database.remove() }
    // A writer that waited for room as readers do might be rolled back, and leave some.
    var usage = try database.tell("cache")
    while usage[1] < usage[0] {
      try #require(try database.tell("overfill 50") == [50, 0])
      usage = try database.tell("cache")
    }
    try guardian.send(LocalMessage.LoadManifest(home: "", threads: 4, leavesPerSecond: 0))
    usleep(500_000)
    database.send("close")
    #expect(database.waitForExit(seconds: 20))
  }

  /// They are the database's, and its program may act on them.
  @Test(arguments: TestEngine.present)
  func whatTheEngineSaysOfADamagedLeafIsSaidToTheProgram(engine: TestEngine) throws {
    let setup = DatabaseProcess.Setup(engine: engine, documents: 20_000)
    let directory = try saved(setup)
    let table = try #require(
      LeafManifest.read(fromHome: directory + "/db").tables.first { $0.leaves.count > 10 })
    let file = try FileHandle(
      forUpdating: URL(
        fileURLWithPath: directory + "/db/" + String(table.uri.dropFirst("file:".count))))
    try file.seek(toOffset: table.leaves.offsets[table.leaves.count / 2] + 1000)
    try file.write(contentsOf: Data(repeating: 0xee, count: 64))
    try file.close()
    let (database, guardian) = try open(setup, directory)
    defer { database.remove() }
    try guardian.send(LocalMessage.LoadManifest(home: "", threads: 1, leavesPerSecond: 0))
    for _ in 0..<100 where !database.complaints.contains("checksum") { usleep(100_000) }
    #expect(database.complaints.contains("checksum"), "\(database.complaints)")
    #expect(!database.complaints.contains("leafcutter: WiredTiger says"))
  }

  /// A closed database whose leaves are all in its manifest.
  ///
  /// - Returns: its directory.
  private func saved(_ setup: DatabaseProcess.Setup) throws -> String {
    let (database, guardian) = try DatabaseProcess.openWarm(setup)
    try guardian.send(LocalMessage.SaveManifest(home: ""))
    let prepared = try guardian.prepared().prepared
    #expect(prepared.leavesInManifest > prepared.leavesListed / 2)
    try database.expectClean()
    return database.directory
  }

  private func open(
    _ setup: DatabaseProcess.Setup, _ directory: String
  ) throws -> (DatabaseProcess, TestGuardian) {
    let database = try DatabaseProcess(setup, directory: directory)
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    _ = try guardian.accept()
    return (database, guardian)
  }
}
