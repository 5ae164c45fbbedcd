import Glibc
import HookLink
import Testing

/// A server with many connections may have all the threads that it can have (TasksMax, RLIMIT_NPROC).
/// Root is bound by no such limit, so the database is nobody's.
@Suite(.serialized, .enabled(if: geteuid() == 0)) struct ThreadLimitTests {
  @Test(arguments: TestEngine.present)
  func withoutAThreadThatWatchesItTheCacheKeepsItsSizeAndNothingHangs(engine: TestEngine) throws {
    let (database, guardian) = try open(engine)
    defer { database.remove() }
    let size = try database.tell("cache")[0]
    try database.tell("nothreads")
    try guardian.prepare()
    let prepared = try guardian.prepared().prepared
    #expect(prepared.notes.contains { $0.contains("no thread is to be had") }, "\(prepared.notes)")
    #expect(prepared.leavesInManifest > 400)
    #expect(try database.tell("cache")[0] == size)
    #expect(try database.tell("read 2000") == [2000, 0])
    // Nobody but this database's own threads could stop it.
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 1))
    let resumed = try guardian.resumed()
    #expect(resumed.notes.contains { $0.contains("no thread is to be had") }, "\(resumed.notes)")
    #expect(resumed.leavesRefaulted == 0)
    #expect(database.memory("VmPin") == 0)
    try database.tell("threads")
    try guardian.send(LocalMessage.LoadManifest(home: "", threads: 2, leavesPerSecond: 0))
    let loaded = try guardian.resumed()
    #expect(loaded.leavesResident == loaded.leavesInManifest)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aDatabaseThatGetsNoThreadClosesInAnyStep(engine: TestEngine) throws {
    for milliseconds: UInt32 in [5, 100, 400] {
      let (database, guardian) = try open(engine)
      defer { database.remove() }
      try database.tell("nothreads")
      try guardian.prepare()
      usleep(milliseconds * 1000)
      // The test database opens its database again to verify it.
      try database.tell("threads")
      #expect(try database.tell("close") == [0], "after \(milliseconds) ms")
    }
  }

  private func open(_ engine: TestEngine) throws -> (DatabaseProcess, TestGuardian) {
    let database = try DatabaseProcess(
      .init(engine: engine, documents: 20_000, user: DatabaseProcess.nobody))
    let guardian = try TestGuardian(socket: database.socket)
    // The path is alive during the call.
    unsafe chmod(database.socket, 0o777)
    try database.start()
    _ = try guardian.accept()
    try database.tell("warm")
    return (database, guardian)
  }
}
