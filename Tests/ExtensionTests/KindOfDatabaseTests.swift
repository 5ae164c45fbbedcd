import HookLink
import Testing

/// Databases that are not files that are read and written.
@Suite(.serialized) struct KindOfDatabaseTests {
  /// It refuses a checkpoint (ENOTSUP), and has nothing that one would write.
  @Test(arguments: TestEngine.present)
  func aDatabaseThatIsOnlyReadIsEvictedHeldAndReadBack(engine: TestEngine) throws {
    var setup = DatabaseProcess.Setup(engine: engine, documents: 20_000)
    let directory = try DatabaseProcess.fill(setup)
    // What an engine maps it does not read, and a probe that reads nothing cannot fail.
    setup.configuration = "readonly=true,mmap=false"
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil, "\(prepared.notes)")
    #expect(prepared.leavesInManifest > 400)
    #expect(prepared.leavesEvicted > prepared.leavesInManifest * 9 / 10, "\(prepared)")
    #expect(try database.tell("read 2000") == [2000, 0])
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// There are no files to read its leaves back from.
  @Test(arguments: TestEngine.present)
  func aDatabaseInMemoryIsLeftAloneAndThatIsSaid(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000, configuration: "in_memory=true,log=(enabled=false)"))
    defer { database.remove() }
    let cache = try database.tell("cache")
    try guardian.prepare()
    guard case .failed(let failed) = try guardian.next() else {
      Issue.record("it prepares")
      return
    }
    #expect(failed.reason.contains("in memory"), "\(failed)")
    #expect(try database.tell("cache")[0] == cache[0])
    #expect(try database.tell("verify")[1] == 0)
    try guardian.send(LocalMessage.SaveManifest(home: ""))
    guard case .failed = try guardian.next() else {
      Issue.record("it saves")
      return
    }
  }
}
