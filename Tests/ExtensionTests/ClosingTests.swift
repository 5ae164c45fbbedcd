import Glibc
import HookLink
import LeafManifest
import Testing

/// A database closes when it wants to, whatever the extension is doing.
@Suite(.serialized) struct ClosingTests {
  @Test func closesWithoutAGuardian() throws {
    let database = try DatabaseProcess(.init(documents: 2000))
    defer { database.remove() }
    try database.start()
    #expect(try database.tell("close") == [0])
    #expect(database.waitForExit(seconds: 10))
  }

  @Test func closesWhileIdle() throws {
    let (database, guardian) = try open(documents: 2000)
    defer { database.remove() }
    #expect(try database.tell("close") == [0])
    #expect(database.waitForExit(seconds: 10))
    withExtendedLifetime(guardian) {}
  }

  @Test(arguments: [0, 5, 20, 60])
  func closesInAnyStepOfPrepare(milliseconds: UInt32) throws {
    let (database, guardian) = try open(documents: 10_000)
    defer { database.remove() }
    try database.tell("warm")
    try guardian.prepare()
    usleep(milliseconds * 1000)
    #expect(try database.tell("close") == [0])
    #expect(database.waitForExit(seconds: 20))
  }

  @Test func keepsHeldFramesAfterClosingUntilTheyAreReleased() throws {
    let (database, guardian) = try open(documents: 10_000)
    defer { database.remove() }
    try database.tell("warm")
    try guardian.prepare()
    #expect(try guardian.prepared().held != nil)
    database.send("reopen")
    _ = try database.answer()
    let pinned = database.memory("VmPin")
    #expect(pinned > 0)
    try guardian.release()
    #expect(database.memory("VmPin") < pinned / 10)
    #expect(try database.tell("verify")[1] == 0)
  }

  /// They were switched on for the prepare, and nobody switches them off in an engine that is gone.
  @Test(arguments: TestEngine.present)
  func aPreparedDatabaseWithItsStatisticsOffClosesAndReleasesLater(engine: TestEngine) throws {
    for allocator in [TestAllocator.jemalloc, .glibc] {
      let (database, guardian) = try DatabaseProcess.openWarm(
        .init(
          engine: engine, documents: 10_000, allocator: allocator,
          configuration: "statistics=(none)"))
      defer { database.remove() }
      try guardian.prepare()
      #expect((try guardian.prepared().held != nil) == (allocator == .jemalloc))
      database.send("reopen")
      _ = try database.answer()
      if allocator == .jemalloc { try guardian.release() }
      usleep(300_000)
      #expect(try database.tell("verify")[1] == 0)
      #expect(database.isRunning)
    }
  }

  private func open(documents: Int) throws -> (DatabaseProcess, TestGuardian) {
    let database = try DatabaseProcess(.init(documents: documents))
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    _ = try guardian.accept()
    return (database, guardian)
  }
}
