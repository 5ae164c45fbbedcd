import Foundation
import HookLink
import Testing

/// Databases of which little is in the cache, and engines that cannot be asked what is.
@Suite(.serialized) struct LargeDatabaseTests {
  /// 700 bytes each: some 3000 leaves of 32 KiB, and some thirty pages above them.
  private static let documents = 100_000

  /// A database that was filled and opened again, so that nothing of it is in the cache.
  private func open(
    _ setup: DatabaseProcess.Setup, filledBy commands: [String] = []
  ) throws -> (DatabaseProcess, TestGuardian) {
    let directory = try DatabaseProcess.fill(setup, commands)
    let database = try DatabaseProcess(setup, directory: directory)
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    _ = try guardian.accept()
    return (database, guardian)
  }

  @Test(arguments: TestEngine.present)
  func onlyLeavesBelowPagesInTheCacheAreAskedFor(engine: TestEngine) throws {
    let (database, guardian) = try open(
      .init(engine: engine, documents: LargeDatabaseTests.documents))
    defer { database.remove() }
    try database.tell("first \(LargeDatabaseTests.documents / 10)")
    let leaves = try database.tell("leaves")[0]
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil)
    // All that are there are found, and what is asked for besides are their neighbours.
    #expect(prepared.leavesInManifest >= leaves * 9 / 10, "\(prepared) of \(leaves)")
    #expect(prepared.leavesListed < LargeDatabaseTests.documents / 35 / 2, "\(prepared)")
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    #expect(try database.tell("leaves")[0] >= leaves * 9 / 10)
    try database.expectClean()
  }

  /// A server with many collections has few of them in use, and needs its descriptors for its clients.
  @Test(arguments: TestEngine.present)
  func tablesThatTheEngineHasClosedStayClosed(engine: TestEngine) throws {
    let (database, guardian) = try open(
      .init(engine: engine, documents: 5000), filledBy: ["many 300 20"])
    defer { database.remove() }
    try database.tell("warm")
    let before = database.openDescriptors
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil && prepared.leavesInManifest > 0)
    // The pinning ring, the mark page and what a checkpoint opens.
    #expect(database.openDescriptors < before + 20)
    try guardian.releaseAndResume()
    #expect(try database.tell("checkmany 300") == [6000, 0])
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func anEngineWithoutASessionToSpareKeepsItsCache(engine: TestEngine) throws {
    let (database, guardian) = try open(.init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try database.tell("warm")
    try database.tell("sessions")
    let before = try database.tell("cache")
    try guardian.prepare()
    guard case .failed(let failed) = try guardian.next() else { throw TestGuardian.Unexpected() }
    #expect(failed.reason.contains("session"), "\(failed.reason)")
    let after = try database.tell("cache")
    #expect(after[0] == before[0] && after[1] > before[1] * 9 / 10)
    try database.expectClean()
  }

  /// The engine reads by mmap(2), so no read is refused.
  @Test(.enabled(if: TestEngine.present.contains(.newer)))
  func aDatabaseThatIsReadPastTheHoldLibraryIsNotReadAsAWhole() throws {
    let (database, guardian) = try open(
      .init(
        engine: .newer, documents: LargeDatabaseTests.documents, configuration: "mmap_all=true"))
    defer { database.remove() }
    try database.tell("first 1000")
    let before = try database.tell("cache")[1]
    try guardian.prepare()
    let (_, prepared) = try guardian.prepared()
    #expect(prepared.leavesInManifest == 0)
    #expect(prepared.notes.contains { $0.contains("pread") }, "\(prepared.notes)")
    try guardian.releaseAndResume()
    #expect(try database.tell("cache")[1] < before + 60 << 20)
    try database.expectClean()
  }
}
