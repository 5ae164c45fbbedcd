import HookLink
import Testing

/// What a program has under way goes on through a migration: transactions, cursors, checkpoints.
@Suite(.serialized) struct OpenWorkTests {
  private static let documents = 20_000

  @Test(arguments: TestEngine.present)
  func aSnapshotThatIsOlderThanTheMigrationReadsTheOldVersions(engine: TestEngine) throws {
    let (changed, read) = (4000, [2000, 0])
    let (database, guardian) = try open(engine)
    defer { database.remove() }
    #expect(try database.tell("snapshot \(changed)") == [0])
    try guardian.prepare()
    #expect(try database.tell("snapshotread 2000") == read, "while it is prepared")
    #expect(try guardian.prepared().held != nil)
    #expect(try database.tell("snapshotread 2000") == read, "while frames are held")
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    #expect(try database.tell("snapshotread 2000") == read, "while leaves are read back")
    _ = try guardian.resumed()
    #expect(try database.tell("snapshotread 2000") == read, "afterwards")
    #expect(try database.tell("endsnapshot") == [0])
    try database.expectClean()
  }

  /// The leaves they stand on stay where they are; the others go.
  @Test(arguments: TestEngine.present)
  func cursorsThatStandOnLeavesStayThereAndGoOn(engine: TestEngine) throws {
    let (database, guardian) = try open(engine)
    defer { database.remove() }
    #expect(try database.tell("cursors 50") == [50])
    try guardian.prepare()
    #expect(try database.tell("oncursors") == [50, 0], "while it is prepared")
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil)
    #expect(prepared.leavesEvicted > prepared.leavesInManifest / 2, "\(prepared)")
    #expect(try database.tell("oncursors") == [50, 0], "while frames are held")
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    #expect(try database.tell("oncursors") == [50, 0], "while leaves are read back")
    let resumed = try guardian.resumed()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    #expect(try database.tell("oncursors") == [50, 0], "afterwards")
    try database.expectClean()
  }

  /// Each gives blocks free that the one before has named, and takes others.
  @Test(arguments: TestEngine.present)
  func checkpointsOfTheProgramsOwnNeitherFailNorHinder(engine: TestEngine) throws {
    let (database, guardian) = try open(engine)
    defer { database.remove() }
    try database.tell("checkpoints")
    for round in 1...3 {
      try guardian.prepare()
      let (held, prepared) = try guardian.prepared()
      #expect(held != nil, "round \(round)")
      #expect(prepared.leavesInManifest > 400, "round \(round): \(prepared)")
      #expect(
        prepared.leavesEvicted > prepared.leavesInManifest / 2, "round \(round): \(prepared)")
      #expect(try database.tell("read 500") == [500, 0])
      let resumed = try guardian.releaseAndResume()
      #expect(
        resumed.leavesResident > resumed.leavesInManifest * 9 / 10, "round \(round): \(resumed)")
    }
    let checkpoints = try database.tell("nocheckpoints")
    #expect(checkpoints[0] > 3 && checkpoints[1] == 0, "\(checkpoints)")
    try database.expectClean()
  }

  private func open(_ engine: TestEngine) throws -> (DatabaseProcess, TestGuardian) {
    try DatabaseProcess.openWarm(.init(engine: engine, documents: OpenWorkTests.documents))
  }
}
