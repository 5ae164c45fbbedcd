import Glibc
import HookLink
import Testing

@testable import Guardian

/// A database whose user is nobody in particular, and guardians that are root and that are not.
@Suite(.serialized, .enabled(if: geteuid() == 0)) struct UserTests {
  /// Small enough for a limit of locked memory that nobody raises (8 MiB is the kernel's default).
  private static let documents = 5000

  @Test(arguments: TestEngine.present)
  func framesOfAnUnprivilegedDatabaseAreReportedByAGuardianThatIsRoot(engine: TestEngine) throws {
    let (database, guardian) = try open(engine)
    defer { database.remove() }
    let report = try guardian.report()
    #expect(report.pages > 200, "\(report.notes)")
    #expect(report.leavesEvicted > 0)
    #expect(try database.tell("read 500") == [500, 0])
    let doctor = try line("database /", of: guardian.doctor())
    #expect(doctor.hasPrefix("well:") && doctor.contains("locked memory"), "\(doctor)")
    let resumed = try guardian.abort()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    #expect(database.memory("VmPin") == 0)
    try database.expectClean()
  }

  /// It is not told where its mark page is, so it takes part in no migration, and says so at once.
  @Test(arguments: TestEngine.present, [DatabaseProcess.nobody, nil] as [UInt32?])
  func aGuardianThatIsNotRootLeavesTheDatabaseAloneAndSaysWhy(
    engine: TestEngine, user: UInt32?
  ) throws {
    let (database, guardian) = try open(engine, user: user, guardian: DatabaseProcess.nobody)
    defer { database.remove() }
    let cache = try database.tell("cache")
    let declined = try guardian.declined()
    #expect(declined.reason.contains("only to root"), "\(declined.reason)")
    let doctor = try line("guardian", of: guardian.doctor())
    #expect(doctor.hasPrefix("nothing held:") && doctor.contains("as root"), "\(doctor)")
    #expect(try database.tell("cache") == cache)
    #expect(database.memory("VmPin") == 0)
    try database.expectClean()
  }

  /// The kernel keeps a process's own files in /proc from it that has changed its user (PR_SET_DUMPABLE).
  @Test(arguments: TestEngine.present)
  func aDatabaseThatGivesUpBeingRootIsEvictedAndSaysWhyNothingIsHeld(engine: TestEngine) throws {
    let (database, guardian) = try open(engine, user: nil, refuses: "root")
    defer { database.remove() }
    let report = try guardian.report()
    #expect(report.pages == 0 && report.leavesEvicted > 0)
    #expect(report.notes.contains { $0.contains("pagemap") }, "\(report.notes)")
    let doctor = try line("database /", of: guardian.doctor())
    #expect(doctor.hasPrefix("nothing held:") && doctor.contains("pagemap"), "\(doctor)")
    let resumed = try guardian.abort()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// The guardian itself may call it, so only the database can tell.
  @Test func whatIsRefusedToADatabaseAloneIsToldByTheDoctor() throws {
    let (database, guardian) = try open(.debian, user: nil, refuses: "userfaultfd")
    defer { database.remove() }
    let before = try line("database /", of: guardian.doctor())
    #expect(before.hasPrefix("degrades:") && before.contains("userfaultfd is refused"), "\(before)")
    #expect(try guardian.report().pages > 0)
    let after = try line("database /", of: guardian.doctor())
    #expect(after.hasPrefix("degrades:") && after.contains("userfaultfd is refused"), "\(after)")
    try guardian.abort()
    try database.expectClean()
  }

  private func line(_ topic: String, of lines: [String]) throws -> String {
    try #require(lines.first { $0.contains(": \(topic)") }, "\(lines)")
  }

  private func open(
    _ engine: TestEngine, user: UInt32? = DatabaseProcess.nobody, guardian: UInt32? = nil,
    refuses: String = ""
  ) throws -> (DatabaseProcess, RealGuardian) {
    let database = try DatabaseProcess(
      .init(
        engine: engine, documents: UserTests.documents, cacheMegabytes: 64, refuses: refuses,
        user: user))
    let guardian = try RealGuardian(
      for: database, user: guardian, group: DatabaseProcess.nobody)
    try database.start()
    try guardian.waitForDatabase()
    try database.tell("warm")
    return (database, guardian)
  }
}
