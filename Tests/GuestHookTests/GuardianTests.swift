import CGuestSystem
import Glibc
import HookLink
import Testing

@testable import Guardian

/// The guardian as a process, between a fake proxy and a fake database with real pinned memory.
@Suite(.serialized)
struct GuardianTests {
  private let holding = MarkPage.State.holding.rawValue
  private let released = MarkPage.State.released.rawValue

  @Test("PREPARE is answered with a mark page that says HOLDING and advances")
  func markPage() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let id = MigrationID.random()
    fixture.proxy.prepare(id)
    let mark = try #require(fixture.proxy.awaitMark())
    #expect(mark.guestPhysicalAddress > 1 << 20)
    #expect(mark.guestPhysicalAddress % 4096 == 0)
    #expect(database.holdWhenAsked())
    let page = try #require(database.mark)
    #expect(page.load(at: MarkPage.Offset.state) == holding)
    #expect(page.frame.map { $0 * 4096 } == mark.guestPhysicalAddress)
    #expect(page.load(at: MarkPage.Offset.nonce) == id.high)
    #expect(page.load(at: MarkPage.Offset.nonce + 8) == id.low)
    let counter = page.load(at: MarkPage.Offset.counter)
    let began = ContinuousClock.now
    var later = counter
    // However long a busy machine keeps the writer waiting; and it must not keep the page dirty for nothing.
    while later <= counter + 3, began.duration(to: .now) < .seconds(20) {
      usleep(50_000)
      later = page.load(at: MarkPage.Offset.counter)
    }
    #expect(later > counter + 3)
    #expect(Double(later - counter) < began.duration(to: .now) / .milliseconds(20) * 3)
  }

  @Test("a guardian that has just started says so once, and for no migration")
  func greeting() throws {
    let fixture = try GuardianFixture()
    let greeting = fixture.proxy.await {
      if case .declined(let message) = $0 { message } else { nil }
    }
    #expect(greeting?.reason.contains("has started here") == true)
    #expect(fixture.proxy.received.last?.id == MigrationID.none)
    fixture.proxy.hangUp()
    fixture.proxy.accept()
    fixture.proxy.prepare(.random())
    _ = try #require(fixture.proxy.awaitMark())
    #expect(fixture.proxy.received.count == 2)
  }

  @Test("the report names exactly the frames of the pinned pieces, less the probes")
  func report() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let id = MigrationID.random()
    fixture.proxy.prepare(id)
    #expect(database.holdWhenAsked())
    let end = try #require(fixture.proxy.awaitReport())
    let frames = database.frames()
    let probes = Set(end.probes.map { $0 / 4096 })
    #expect(frames.count == 2048)
    #expect((1...8).contains(probes.count) && probes.count == end.probes.count)
    #expect(probes.contains(frames.min() ?? 0))
    #expect(end.pages == UInt64(2048 - probes.count))
    #expect(end.leavesInManifest == 200)
    #expect(fixture.proxy.reportedPages == frames.subtracting(probes))
    for frame in frames {
      let expected =
        probes.contains(frame)
        ? ProbePage.content(for: id, at: frame * 4096)
        : [UInt8](repeating: FakeDatabase.oldContent, count: 4096)
      #expect(database.page(inFrame: frame) == expected, "frame \(frame)")
    }
    #expect(end.steps.contains { $0.step == "evict" })
    #expect(end.notes == [])
  }

  @Test("ABORT releases, then resumes, and says so to the proxy")
  func abort() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let id = try fixture.hold(with: database)
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: id)
    #expect(database.releaseAndResumeWhenAsked() == released)
    let resumed = try #require(fixture.proxy.awaitResumed())
    #expect(!resumed.atDestination)
    #expect(resumed.leavesResident == 199)
    // And again, at once.
    fixture.proxy.prepare(.random())
    #expect(database.holdWhenAsked())
    #expect(fixture.proxy.awaitPagesHeld() == 2048)
  }

  @Test("the verdict in the mark page resumes as at the destination, with nobody at the port")
  func verdict() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let id = try fixture.hold(with: database)
    // The guardian looks at the page as soon as the port is closed.
    database.writeVerdict(for: id)
    fixture.proxy.hangUp()
    #expect(database.releaseAndResumeWhenAsked() != nil)
    usleep(200_000)
    // Whoever comes later is told, and told again: the first time may have been lost.
    for _ in 0..<2 {
      fixture.proxy.accept()
      for _ in 0..<2 {
        let resumed = try #require(fixture.proxy.awaitResumed())
        #expect(resumed.atDestination)
      }
      fixture.proxy.hangUp()
    }
  }

  @Test("a verdict of another migration is none")
  func foreignVerdict() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    database.writeVerdict(for: .random())
    #expect(database.awaitMessage(milliseconds: 500) == nil)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == holding)
  }

  @Test("when the link is lost RELEASED is written before anything is released")
  func lostLink() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    fixture.proxy.hangUp()
    #expect(database.releaseAndResumeWhenAsked() == released)
  }

  @Test("with post-copy possible a lost link releases nothing before the lease is over")
  func lease() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database, postcopy: true)
    fixture.proxy.hangUp()
    #expect(database.awaitMessage(milliseconds: 12_000) == nil)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == holding)
    #expect(database.releaseAndResumeWhenAsked() == released)
  }

  @Test("messages of another migration are ignored")
  func otherMigration() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    fixture.proxy.send(HostMessage.Abort(reason: "late"), for: .random())
    fixture.proxy.send(HostMessage.Acknowledge(sequence: 1), for: .random())
    #expect(database.awaitMessage(milliseconds: 500) == nil)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == holding)
  }

  @Test("a database that dies is revoked, and its frames stay held until the acknowledgement")
  func databaseGone() throws {
    let fixture = try GuardianFixture()
    var database: FakeDatabase? = try fixture.database()
    let id = try fixture.hold(with: try #require(database))
    let mark = try #require(database?.mark)
    #expect(fixture.ringCount == 2)
    database = nil
    let revoke = try #require(
      fixture.proxy.await { if case .revoke(let revoke) = $0 { revoke } else { nil } })
    #expect(revoke.ranges == nil)
    usleep(200_000)
    #expect(fixture.ringCount == 2)
    fixture.proxy.send(HostMessage.Acknowledge(sequence: revoke.sequence), for: id)
    #expect(fixture.hasRings(1))
    #expect(mark.load(at: MarkPage.Offset.state) == holding)
  }

  @Test("a guest without a database still reports, with no page and a note")
  func noDatabase() throws {
    let fixture = try GuardianFixture()
    fixture.proxy.prepare(.random())
    let end = try #require(fixture.proxy.awaitReport())
    #expect(end.pages == 0)
    #expect(end.notes == ["no database has registered"])
  }

  @Test("a killed guardian: the keeper holds on, then writes RELEASED")
  func keeper() throws {
    let fixture = try GuardianFixture("--keeper-bound", "3")
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    let killed = ContinuousClock.now
    fixture.guardian.killAndWait()
    var lastHeld = killed
    #expect(
      eventually {
        let now = ContinuousClock.now
        if database.mark?.load(at: MarkPage.Offset.state) == holding { lastHeld = now }
        return lastHeld != now
      })
    #expect(database.mark?.load(at: MarkPage.Offset.state) == released)
    // It counts from the guardian's last word, a moment before.
    #expect(killed.duration(to: lastHeld) > .seconds(1))
  }

  /// Init's last round, or a soft reboot's: SIGTERM to all that is left, and SIGKILL right after it.
  @Test("a keeper without a guardian that is told to end says RELEASED at once")
  func keeperToldToEnd() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    let keeper = try #require(fixture.keeper)
    defer { kill(keeper, SIGKILL) }
    // With its guardian there it goes on.
    kill(keeper, SIGTERM)
    usleep(300_000)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == holding)
    fixture.guardian.killAndWait()
    let killed = ContinuousClock.now
    while database.mark?.load(at: MarkPage.Offset.state) == holding,
      killed.duration(to: .now) < .seconds(10)
    {
      usleep(20_000)
    }
    // Long before the 30 s for which it holds on otherwise.
    #expect(database.mark?.load(at: MarkPage.Offset.state) == released)
    // Post-copy's proxy counts on the lease, whatever the page says.
    #expect(fixture.ringCount(of: keeper) == 2)
  }

  @Test(
    "a guardian that is told to end asks back what it holds, and says RELEASED where nobody answers",
    arguments: [true, false])
  func toldToEnd(isAnswered: Bool) throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let id = try fixture.hold(with: database)
    kill(fixture.guardian.pid, SIGTERM)
    let revoke = try #require(
      fixture.proxy.await { if case .revoke(let revoke) = $0 { revoke } else { nil } })
    #expect(revoke.ranges == nil)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == holding)
    if isAnswered {
      fixture.proxy.send(HostMessage.Acknowledge(sequence: revoke.sequence), for: id)
    }
    guard case .release? = database.awaitMessage(milliseconds: 10_000) else {
      Issue.record("the database is not told to let go")
      return
    }
    #expect(fixture.guardian.exitCode() == 0)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == released)
  }

  @Test("a guardian that is told to end while it prepares says so")
  func toldToEndPreparing() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    fixture.proxy.prepare(.random())
    _ = try #require(fixture.proxy.awaitMark())
    kill(fixture.guardian.pid, SIGTERM)
    let declined = fixture.proxy.await {
      if case .declined(let message) = $0, message.reason.contains("told to end") {
        message
      } else {
        nil
      }
    }
    #expect(declined != nil)
    #expect(fixture.guardian.exitCode() == 0)
    #expect(database.mark?.load(at: MarkPage.Offset.state) ?? released == released)
  }

  @Test("a guardian with nothing to do ends when it is told to")
  func toldToEndIdle() throws {
    let fixture = try GuardianFixture()
    kill(fixture.guardian.pid, SIGTERM)
    #expect(fixture.guardian.exitCode() == 0)
  }

  @Test("nonsense on the local socket costs its sender the connection and nobody else anything")
  func nonsense() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    for nonsense in [LocalMessage.LetGo().frame(for: .none), Array(repeating: 7, count: 900_000)] {
      let stranger = try fixture.connect()
      var rest = nonsense[...]
      for _ in 0..<500 where !rest.isEmpty {
        // The slice is alive during the call.
        let sent = unsafe rest.withUnsafeBytes {
          unsafe leafcutter_guest_send(stranger.number, $0.baseAddress, $0.count, -1)
        }
        if sent > 0 { rest = rest.dropFirst(sent) } else { usleep(2000) }
      }
      let link = LocalConnection(stranger)
      while link.awaitFrame(milliseconds: 2000) != nil {}
      #expect(link.ended != nil)
    }
    fixture.proxy.prepare(.random())
    #expect(database.holdWhenAsked())
    #expect(fixture.proxy.awaitPagesHeld() == 2048)
  }
}
