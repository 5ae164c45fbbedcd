import Glibc
import HookLink
import Testing

/// Two databases in one process have one hold library between them, which holds for one at a time.
@Suite(.serialized, .enabled(if: geteuid() == 0)) struct TwoDatabasesTests {
  @Test(arguments: TestEngine.present)
  func oneIsHeldTheOtherSaysWhyNotAndBothHaveTheirLeavesBack(engine: TestEngine) throws {
    let database = try DatabaseProcess(.init(engine: engine, documents: 20_000))
    defer { database.remove() }
    let guardian = try RealGuardian(for: database, group: 0)
    try database.start()
    try guardian.waitForDatabases(1)
    try database.tell("second \(database.directory)/second")
    try guardian.waitForDatabases(2)
    for _ in 0..<3 {
      try database.tell("warm")
      #expect(try database.tell("secondread") == [20_000, 0])
      let report = try guardian.report()
      #expect(report.pages > 1000, "\(report.notes)")
      #expect(
        report.notes.count { $0.contains("another database of this process holds") } == 1,
        "\(report.notes)")
      #expect(try database.tell("read 2000") == [2000, 0])
      let resumed = try guardian.abort()
      #expect(resumed.leavesInManifest > 1000)
      #expect(resumed.leavesResident * 100 >= resumed.leavesInManifest * 99)
      #expect(database.memory("VmPin") == 0)
    }
    #expect(try database.tell("secondread") == [20_000, 0])
    #expect(try database.tell("secondclose") == [0])
    try database.expectClean()
  }
}
