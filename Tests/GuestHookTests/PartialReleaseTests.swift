import Glibc
import HookLink
import Testing

@testable import Guardian

/// Where memory is tight, the hold is given back a part at a time.
@Suite(.serialized)
struct PartialReleaseTests {
  /// A third of this is available: less than half, and more than a quarter.
  private static var tight: [String] {
    headroom(((MemoryInfo.now()?.available ?? 0) * 3) >> 20)
  }

  private static func headroom(_ mebibytes: UInt64) -> [String] {
    ["--headroom", "\(mebibytes)", "--no-ballast", "--no-page-cache"]
  }

  private func revoke(_ fixture: GuardianFixture) -> GuestMessage.Revoke? {
    fixture.proxy.await(seconds: 5) { if case .revoke(let revoke) = $0 { revoke } else { nil } }
  }

  private func pages(_ ranges: [PageRange]) -> Set<UInt64> {
    Set(ranges.flatMap { $0.first..<$0.first + $0.count })
  }

  @Test("the frames of a part are named, and let go only when the proxy has cleared them")
  func part() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.tight)
    let database = try fixture.database()
    let id = try fixture.hold(with: database)
    let first = try #require(revoke(fixture))
    // The second of two pieces; the first stays.
    #expect(pages(try #require(first.ranges)) == database.frames(ofPiece: 1))
    #expect(database.awaitMessage(milliseconds: 300) == nil)
    fixture.proxy.send(HostMessage.Acknowledge(sequence: first.sequence), for: id)
    let addresses = [database.pieces[1].address]
    #expect(database.awaitMessage() == .releasePieces(.init(addresses: addresses)))
    #expect(fixture.ringCount == 2)
    #expect(database.mark?.load(at: MarkPage.Offset.state) == MarkPage.State.holding.rawValue)
    // Memory is as tight as before, and the rest is no more than a part.
    let second = try #require(revoke(fixture))
    #expect(second.ranges == nil)
    fixture.proxy.send(HostMessage.Acknowledge(sequence: second.sequence), for: id)
    #expect(database.awaitMessage() == .release(.init()))
    #expect(database.mark?.load(at: MarkPage.Offset.state) == MarkPage.State.holding.rawValue)
  }

  @Test("where memory is nearly out everything is given back at once")
  func urgent() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.headroom(1_000_000_000))
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    let first = try #require(revoke(fixture))
    #expect(first.ranges == nil)
    // Nobody acknowledges it, and the kernel would go on ending processes.
    let asked = ContinuousClock.now
    #expect(database.awaitMessage() == .release(.init()))
    #expect(asked.duration(to: .now) < .seconds(4))
    #expect(database.mark?.load(at: MarkPage.Offset.state) == MarkPage.State.released.rawValue)
  }

  @Test("where memory is nearly out what is held while others prepare is let go unasked")
  func urgentBeforeTheReport() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.headroom(1_000_000_000))
    let (first, second) = (try fixture.database(), try fixture.database())
    let keeper = try #require(fixture.keeper)
    let id = MigrationID.random()
    fixture.proxy.prepare(id)
    #expect(first.holdWhenAsked())
    #expect(first.awaitMessage() == .release(.init()))
    #expect(first.mark?.load(at: MarkPage.Offset.state) == MarkPage.State.holding.rawValue)
    // The mark page's.
    #expect(fixture.ringCount == 1 && fixture.ringCount(of: keeper) == 1)
    first.release()
    // Whoever still prepares goes on.
    #expect(second.holdWhenAsked())
    let end = try #require(fixture.proxy.awaitReport())
    #expect(end.pages + UInt64(end.probes.count) == 2048)
    #expect(end.leavesInManifest == 400)
    #expect(end.notes.contains { $0.contains("memory was nearly out while others prepared") })
    #expect(fixture.proxy.reportedPages.isSubset(of: second.frames()))
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: id)
    #expect(second.awaitMessage() == .release(.init()))
    second.release()
    #expect(first.awaitResume() && second.awaitResume())
  }

  @Test("what is held while others prepare stays where memory is only tight")
  func tightBeforeTheReport() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.tight)
    let (first, second) = (try fixture.database(), try fixture.database())
    fixture.proxy.prepare(.random())
    #expect(first.holdWhenAsked())
    #expect(first.awaitMessage(milliseconds: 1500) == nil)
    #expect(second.holdWhenAsked())
    #expect(fixture.proxy.awaitPagesHeld() == 4096)
  }

  @Test("where a part is not acknowledged RELEASED is written before everything is let go")
  func unacknowledged() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.tight)
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    #expect(revoke(fixture)?.ranges != nil)
    #expect(database.awaitMessage(milliseconds: 3000) == nil)
    #expect(database.awaitMessage() == .release(.init()))
    #expect(database.mark?.load(at: MarkPage.Offset.state) == MarkPage.State.released.rawValue)
  }

  @Test("a database that dies while a part is being revoked is revoked as a whole afterwards")
  func databaseGone() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.tight)
    var database: FakeDatabase? = try fixture.database()
    let id = try fixture.hold(with: try #require(database))
    let part = try #require(revoke(fixture))
    database = nil
    usleep(200_000)
    #expect(fixture.ringCount == 2)
    fixture.proxy.send(HostMessage.Acknowledge(sequence: part.sequence), for: id)
    let whole = try #require(revoke(fixture))
    #expect(whole.ranges == nil)
    #expect(fixture.ringCount == 2)
    fixture.proxy.send(HostMessage.Acknowledge(sequence: whole.sequence), for: id)
    #expect(fixture.hasRings(1))
  }

  @Test("frames that were filled with zeroes are let go a part at a time, and nobody is asked")
  func zeroes() throws {
    let fixture = try GuardianFixture(PartialReleaseTests.tight)
    let database = try fixture.database()
    fixture.proxy.prepare(.random(), zeroes: true)
    try #require(database.holdWhenAsked())
    let addresses = [database.pieces[1].address]
    #expect(database.awaitMessage() == .releasePieces(.init(addresses: addresses)))
    #expect(database.awaitMessage() == .release(.init()))
  }
}
