import Glibc
import HookLink
import Testing
import Threads

@testable import Guardian

/// `status`, `save` and `load` against a real guardian, and what `run` refuses.
@Suite(.serialized)
struct ClientTests {
  @Test("status names the port, the databases and the migration")
  func status() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let answer = try GuardianClient(socket: fixture.socket).ask(LocalMessage.StatusRequest()) { _ in
    }
    guard case .status(let status) = answer else {
      Issue.record("no status")
      return
    }
    #expect(status.lines.contains("migration: none"))
    #expect(status.lines.contains { $0.hasPrefix("database: \(database.home) (a test)") })
  }

  @Test("whoever is one too many is told so, and those before keep being served")
  func crowd() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    var crowd: [GuardianClient] = []
    // Few may wait to be accepted.
    let isComplete = eventually {
      if let one = try? GuardianClient(socket: fixture.socket) { crowd.append(one) }
      return crowd.count == 63
    }
    try #require(isComplete)
    let refusal = #expect(throws: GuardianClient.Failure.self) {
      _ = try GuardianClient(socket: fixture.socket).ask(LocalMessage.StatusRequest()) { _ in }
    }
    #expect(refusal.map { "\($0)".contains("64 databases and commands") } == true)
    let answer = try crowd[0].ask(LocalMessage.StatusRequest()) { _ in }
    guard case .status(let status) = answer else {
      Issue.record("no status: \(answer)")
      return
    }
    #expect(status.lines.count { $0.hasPrefix("database: ") } == 1)
    withExtendedLifetime(database) {}
  }

  @Test("--keep reaches the database, and status says what stays in its cache")
  func keep() throws {
    let fixture = try GuardianFixture("--keep", "30")
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    #expect(database.asked?.keepPercent == 30)
    let client = try GuardianClient(socket: fixture.socket)
    guard
      case .status(let status) = try client.ask(LocalMessage.StatusRequest(), progress: { _ in })
    else {
      Issue.record("no status")
      return
    }
    #expect(status.lines.contains("keep: 30 % of each cache"))
    #expect(status.lines.contains("evicted: 150 of 200 leaves, 50 stay in the cache"))
  }

  @Test("save passes the database's answer on, and its progress before")
  func save() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let thread = BlockingThread("client") { [socket = fixture.socket] in
      var progress = 0
      let answer = try? GuardianClient(socket: socket).ask(LocalMessage.SaveManifest(home: "")) {
        _ in progress += 1
      }
      #expect(progress == 1)
      guard case .prepared(let prepared)? = answer else {
        Issue.record("no answer")
        return
      }
      #expect(prepared.leavesInManifest == 7)
    }
    guard case .save? = database.awaitMessage() else {
      Issue.record("the database was not asked")
      return
    }
    #expect(database.migration == .none)
    database.link.send(GuestMessage.Progress(activity: "probe", done: 1, total: 2), for: .none)
    database.link.send(
      LocalMessage.Prepared(
        leavesListed: 9, leavesInManifest: 7, leavesEvicted: 0, steps: [], notes: []), for: .none)
    thread.join()
  }

  @Test("a database's refusal and an unknown directory come back as sentences")
  func refusals() throws {
    let fixture = try GuardianFixture()
    #expect(throws: GuardianClient.Failure.self) {
      try GuardianClient(socket: fixture.socket).ask(LocalMessage.SaveManifest(home: "/nowhere")) {
        _ in
      }
    }
    #expect(throws: GuardianClient.Failure.self) {
      try GuardianClient(socket: fixture.directory + "/nobody")
    }
  }

  @Test("a second guardian on the same socket is refused")
  func secondGuardian() throws {
    let fixture = try GuardianFixture()
    let second = try ChildProcess(
      executable: GuardianFixture.executable,
      subcommand: ["run", "--socket", fixture.socket, "--log-level", "error"])
    #expect(second.exitCode() == 2)
  }
}
