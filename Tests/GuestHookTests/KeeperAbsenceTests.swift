import Glibc
import HookLink
import Testing

@testable import Guardian

/// Where no keeper has what a database holds, the frames are nobody's as soon as guardian and database are killed,
/// and the mark page goes on saying HOLDING.
@Suite(.serialized)
struct KeeperAbsenceTests {
  @Test("without a keeper nobody is asked to hold, and what is held all the same is not reported")
  func cannotBeStarted() throws {
    let guardian = GuardianInProcess(keeper: "/bin/false")
    let database = try guardian.database()
    guardian.proxy.prepare(.random())
    #expect(database.holdWhenAsked())
    let end = try #require(guardian.proxy.awaitReport())
    #expect(end.pages == 0 && end.probes == [] && guardian.proxy.reportedPages == [])
    #expect(end.notes.count { $0.contains("there is no keeper") } == 1)
    #expect(database.mark == nil)
    #expect(database.awaitMessage() == .release(.init()))
  }

  @Test(
    "a keeper that ends while databases prepare takes every ring with it, and none is reported",
    arguments: [true, false])
  func ends(secondHolds: Bool) throws {
    let fixture = try GuardianFixture()
    let (first, second) = (try fixture.database(), try fixture.database())
    let keeper = try #require(fixture.keeper)
    let id = MigrationID.random()
    fixture.proxy.prepare(id)
    #expect(first.holdWhenAsked())
    #expect(fixture.hasRings(2, of: keeper))
    kill(keeper, SIGKILL)
    // A zombie, or gone.
    #expect(eventually { SmallFile.read("/proc/\(keeper)/stat")?.contains(") Z ") != false })
    if secondHolds {
      #expect(second.holdWhenAsked())
    } else {
      guard case .prepare? = second.awaitMessage() else {
        Issue.record("it is not asked")
        return
      }
      second.link.send(LocalMessage.Failed(step: "prepare", reason: "a test"), for: id)
    }
    let end = try #require(fixture.proxy.awaitReport())
    #expect(end.pages == 0 && end.probes == [] && fixture.proxy.reportedPages == [])
    #expect(end.notes.count { $0.contains("there is no keeper") } == 1)
    for database in secondHolds ? [first, second] : [first] {
      #expect(database.awaitMessage() == .release(.init()))
      database.release()
    }
    // The mark page's.
    #expect(fixture.hasRings(1))
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: id)
    if !secondHolds {
      #expect(second.awaitMessage() == .release(.init()))
      second.release()
    }
    #expect(first.awaitResume() && second.awaitResume())
    // The next one has a keeper again.
    fixture.proxy.prepare(.random())
    #expect(first.holdWhenAsked() && second.holdWhenAsked())
    #expect(fixture.proxy.awaitPagesHeld() == 4096)
  }
}
