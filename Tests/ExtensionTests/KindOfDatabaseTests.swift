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
    // It takes no checkpoint, which is no news to its program.
    #expect(database.complaints == "")
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

  /// Its statistics, which would say that the engine reads all the same, are off.
  @Test(arguments: TestEngine.present)
  func aDatabaseThatMapsItsFilesIsNotReadAsAWhole(engine: TestEngine) throws {
    var setup = DatabaseProcess.Setup(engine: engine, documents: 100_000)
    let directory = try DatabaseProcess.fill(setup)
    setup.configuration = "readonly=true,mmap=true"
    let database = try DatabaseProcess(setup, directory: directory)
    let guardian = try TestGuardian(socket: database.socket)
    defer { database.remove() }
    try database.start()
    _ = try guardian.accept()
    try database.tell("first 10000")
    let before = try database.tell("leaves")[0]
    try database.tell("statistics none")
    try guardian.prepare()
    let (_, prepared) = try guardian.prepared()
    #expect(prepared.leavesInManifest == 0, "\(prepared)")
    #expect(prepared.notes.contains { $0.contains("no leaves are listed") }, "\(prepared.notes)")
    try guardian.releaseAndResume()
    try database.tell("statistics all")
    // Of some 3500. Two threads ask for 512 each before anybody looks, and once more.
    #expect(try database.tell("leaves")[0] < before + 4 * 512)
    try database.expectClean()
  }

  /// Logs that were switched on without a value: 3.2.1 refuses such a database changes that do not name the log.
  @Test(arguments: TestEngine.present)
  func aDatabaseWithoutStatisticsWhoseLogHasNoValuePreparesTheFirstTime(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000, configuration: "log=(enabled),statistics=(none)"))
    defer { database.remove() }
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil, "\(prepared.notes)")
    #expect(prepared.leavesEvicted > prepared.leavesInManifest * 9 / 10, "\(prepared)")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    // They are off again.
    #expect(throws: DatabaseComplaint.self) { try database.tell("cache") }
  }

  /// An absolute threshold above every smaller size: the engine refuses each, and takes it all the same.
  @Test(arguments: TestEngine.present)
  func aCacheThatCannotBeShrunkKeepsItsSize(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(
        engine: engine, documents: 20_000,
        configuration: "eviction_trigger=500MB,eviction_target=400MB"))
    defer { database.remove() }
    let size = try database.tell("cache")[0]
    try guardian.prepare()
    let (_, prepared) = try guardian.prepared()
    #expect(prepared.notes.contains { $0.contains("could not be shrunk") }, "\(prepared.notes)")
    #expect(try database.tell("cache")[0] == size)
    try guardian.releaseAndResume()
    #expect(try database.tell("cache")[0] == size)
    #expect(try database.tell("verify")[1] == 0)
  }
}
