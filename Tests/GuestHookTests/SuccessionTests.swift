import Glibc
import HookLink
import Testing

@testable import Guardian

/// One migration after another, and databases that are not there for all of one.
@Suite(.serialized) struct SuccessionTests {
  @Test("a PREPARE that comes before the last migration is over waits, and is then carried out")
  func queued() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let first = try fixture.hold(with: database)
    let second = MigrationID.random()
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: first)
    fixture.proxy.prepare(second)
    #expect(database.releaseAndResumeWhenAsked() == MarkPage.State.released.rawValue)
    #expect(database.holdWhenAsked())
    #expect(database.migration == second)
    #expect(fixture.proxy.awaitPagesHeld() == 2048)
  }

  @Test("a PREPARE that comes while leaves are read back ends that and is answered at once")
  func whileLeavesAreReadBack() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let first = try fixture.hold(with: database)
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: first)
    #expect(database.awaitMessage() == .release(.init()))
    database.release()
    #expect(database.awaitResume())
    // It reads for as long as it takes.
    let second = MigrationID.random()
    fixture.proxy.prepare(second)
    let mark = try #require(fixture.proxy.awaitMark())
    #expect(mark.time > 0)
    #expect(fixture.proxy.received.last?.id == second)
    #expect(fixture.proxy.received.contains { $0.id == first && $0.message.isResumed })
    // The interrupted one's answer comes late, and is not taken for the next one's.
    database.link.send(
      LocalMessage.DatabaseResumed(
        leavesInManifest: 200, leavesRefaulted: 7, leavesResident: 7, steps: [], notes: []),
      for: first)
    #expect(database.holdWhenAsked() && database.migration == second)
    #expect(fixture.proxy.awaitPagesHeld() == 2048)
  }

  @Test("one that comes while frames are let go has to wait for that, and not for the reading back")
  func whileFramesAreLetGo() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let first = try fixture.hold(with: database)
    let second = MigrationID.random()
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: first)
    fixture.proxy.prepare(second)
    #expect(database.awaitMessage() == .release(.init()))
    usleep(200_000)
    #expect(!fixture.proxy.received.contains { $0.id == second })
    database.release()
    #expect(database.awaitResume())
    // It does not answer that.
    #expect(database.holdWhenAsked() && database.migration == second)
    #expect(fixture.proxy.awaitPagesHeld() == 2048)
  }

  @Test("a database that hangs is left out of the report, and told to let go with the others")
  func databaseThatHangs() throws {
    let fixture = try GuardianFixture()
    let hanging = try fixture.database()
    let database = try fixture.database()
    let id = MigrationID.random()
    fixture.proxy.prepare(id, timeoutMilliseconds: 15_000)
    let began = ContinuousClock.now
    #expect(database.holdWhenAsked())
    let end = try #require(fixture.proxy.awaitReport(seconds: 20))
    #expect(began.duration(to: .now) < .seconds(15))
    #expect(end.pages + UInt64(end.probes.count) == 2048)
    #expect(end.notes.contains { $0.contains("not evicted its cache in time") })
    // It comes to itself, and nobody needs what it holds.
    #expect(hanging.holdWhenAsked())
    #expect(hanging.awaitMessage() == .release(.init()))
    hanging.release()
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: id)
    #expect(database.awaitMessage() == .release(.init()))
    database.release()
    #expect(database.awaitResume() && hanging.awaitResume())
  }

  @Test("a database that ends while another one prepares is held by nobody any longer")
  func databaseThatEndsBeforeTheReport() throws {
    let fixture = try GuardianFixture()
    let other = try fixture.database()
    var database: FakeDatabase? = try fixture.database()
    let keeper = try #require(fixture.keeper)
    fixture.proxy.prepare(.random())
    #expect(database?.holdWhenAsked() == true)
    // The mark page's, and the one that holds.
    #expect(fixture.hasRings(2, of: keeper))
    database = nil
    #expect(fixture.hasRings(1, of: keeper) && fixture.hasRings(1))
    #expect(other.holdWhenAsked())
    let end = try #require(fixture.proxy.awaitReport())
    #expect(end.pages + UInt64(end.probes.count) == 2048)
    #expect(fixture.ringCount(of: keeper) == 2)
  }
}

extension GuestMessage {
  fileprivate var isResumed: Bool { if case .resumed = self { true } else { false } }
}
