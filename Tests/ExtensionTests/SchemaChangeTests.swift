import Foundation
import HookLink
import Testing

@testable import WiredTigerExtension

/// Tables that the program makes, empties, verifies and drops while a migration is prepared, and while
/// leaves are read back: our cursors keep it from none of that for longer than a moment.
@Suite(.serialized) struct SchemaChangeTests {
  private static let rows = 6000
  /// Leaves a second.
  private static let rate: UInt32 = 120
  /// What a program waits that is told EBUSY.
  private static let pause: UInt32 = 20_000

  /// Until the command succeeds: how often it was refused, or nil where it never did.
  private func refusals(_ command: String, of database: DatabaseProcess) throws -> Int? {
    for refused in 0..<100 {
      let code = try database.tell(command)[0]
      if code == 0 { return refused }
      #expect(code == Int(EBUSY), "\(command)")
      usleep(SchemaChangeTests.pause)
    }
    return nil
  }

  @Test(arguments: TestEngine.present)
  func tablesAreMadeEmptiedVerifiedAndDroppedDuringThePrepare(engine: TestEngine) throws {
    let (database, guardian) = try open(engine, tables: ["passing", "emptied", "quiet"])
    defer { database.remove() }
    try guardian.prepare()
    let verified = try refusals("alone quiet", of: database)
    let dropped = try refusals("drop passing", of: database)
    let emptied = try refusals("empty emptied", of: database)
    try database.tell("table late row 2000")
    #expect(try guardian.prepared().held != nil)
    print("refused: verify \(verified ?? -1), drop \(dropped ?? -1), truncate \(emptied ?? -1)")
    #expect(verified != nil && dropped != nil && emptied != nil)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesRefaulted > 0)
    try expectContent(database)
  }

  /// Slowly, and the table that is wanted first, so that it would be in use for most of a second.
  @Test(arguments: TestEngine.present, ["alone above", "drop above", "empty above"])
  func aTableIsHadForOneselfWhileItsLeavesAreReadBack(engine: TestEngine, command: String) throws {
    let (database, guardian) = try open(engine, tables: ["above"])
    defer { database.remove() }
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 4, leavesPerSecond: SchemaChangeTests.rate))
    // What the program's own reads take is seen before the first is read.
    usleep(200_000)
    let refused = try #require(try refusals(command, of: database))
    try database.tell("table late row 2000")
    let resumed = try guardian.resumed()
    print("\(command) on \(engine): refused \(refused) times")
    #expect(refused < 10, "a refusal lasts for \(SchemaChangeTests.pause) µs")
    #expect(resumed.leavesRefaulted > 0)
    #expect(try database.tell("rows late") == [2000])
    try database.expectClean()
  }

  /// Refusals that are for the program's own cursors slow it down, and do not keep it from its end.
  @Test(arguments: TestEngine.present)
  func leavesAreReadBackThoughTheProgramIsRefusedAgainAndAgain(engine: TestEngine) throws {
    let (database, guardian) = try open(engine, tables: ["above"])
    defer { database.remove() }
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.release()
    try database.tell("cursors 4")
    try guardian.send(LocalMessage.Resume(threads: 4, leavesPerSecond: SchemaChangeTests.rate))
    for _ in 0..<30 {
      usleep(SchemaChangeTests.pause)
      #expect(try database.tell("alone documents") == [Int(EBUSY)])
    }
    let resumed = try guardian.resumed()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    let took = try #require(resumed.steps.first { $0.step == "refault" }).nanoseconds
    let without = resumed.leavesInManifest * 1_000_000_000 / UInt64(SchemaChangeTests.rate)
    print("read back in \(took / 1_000_000) ms, \(without / 1_000_000) ms without refusals")
    #expect(took > without + SchemaRefusals.pause)
    #expect(took < 5 * without)
    try database.expectClean()
  }

  /// It is refused while any cursor has found a record, and by 3.2.1 during a checkpoint; a program may end for
  /// that.
  @Test(arguments: TestEngine.present)
  func aProgramGoesBackToItsStableTimestampWhileLeavesAreListedEvictedAndReadBack(
    engine: TestEngine
  ) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000, configuration: "log=(enabled=false)"))
    defer { database.remove() }
    #expect(try database.tell("rollback") == [0])
    try guardian.prepare()
    try rollBackAgainAndAgain(database)
    #expect(try guardian.prepared().held != nil)
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 4, leavesPerSecond: 0))
    try rollBackAgainAndAgain(database)
    let resumed = try guardian.resumed()
    #expect(resumed.leavesResident == resumed.leavesInManifest && resumed.leavesInManifest > 0)
    try database.expectClean()
  }

  /// For longer than a prepare or reading back takes.
  private func rollBackAgainAndAgain(_ database: DatabaseProcess) throws {
    let begun = ContinuousClock.now
    var codes: [Int] = []
    while begun.duration(to: .now) < .milliseconds(400) {
      codes += try database.tell("rollback")
      usleep(300)
    }
    #expect(Set(codes) == [0], "\(codes)")
  }

  private func open(
    _ engine: TestEngine, tables: [String]
  ) throws -> (DatabaseProcess, TestGuardian) {
    let setup = DatabaseProcess.Setup(engine: engine, documents: 2000)
    let directory = try DatabaseProcess.fill(
      setup, tables.map { "table \($0) row \(SchemaChangeTests.rows)" })
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    for name in tables {
      #expect(try database.tell("rows \(name)") == [SchemaChangeTests.rows])
    }
    return (database, guardian)
  }

  private func expectContent(_ database: DatabaseProcess) throws {
    #expect(try database.tell("rows quiet") == [SchemaChangeTests.rows])
    #expect(try database.tell("rows emptied") == [0])
    #expect(try database.tell("rows late") == [2000])
    try database.expectClean()
  }
}
