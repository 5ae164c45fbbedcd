import Glibc
import HookLink
import Testing

@testable import Guardian

/// A proxy that says nothing for a while, or for ever.
@Suite(.serialized) struct SilenceTests {
  private static let released = MarkPage.State.released.rawValue
  /// What the proxy counts from a heartbeat's sending, and what the guest does.
  private static let proxysLease = Duration.seconds(5)

  /// Whether a proxy that reads every heartbeat at the last moment would be too late with each of them.
  @Test("with post-copy possible frames are held until no heartbeat that was sent is of use")
  func heartbeatsThatNobodyHasAnswered() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database, postcopy: true)
    fixture.proxy.acknowledges = false
    // It stands still for longer than the lease, while the guest goes on sending, and then the link breaks.
    let end = ContinuousClock.now + .seconds(16)
    var lastBeat: ContinuousClock.Instant?
    while ContinuousClock.now < end {
      let beat: Void? = fixture.proxy.await(seconds: 0.2) {
        if case .heartbeat = $0 { () } else { nil }
      }
      if beat != nil { lastBeat = .now }
    }
    let sent = try #require(lastBeat)
    #expect(sent > end - .seconds(3))
    fixture.proxy.hangUp()
    let message = database.awaitMessage(milliseconds: 30_000)
    let waited = sent.duration(to: .now)
    guard case .release? = message else {
      Issue.record("nothing is let go")
      return
    }
    #expect(waited > SilenceTests.proxysLease * 2, "\(waited) after the last heartbeat")
    #expect(database.mark?.load(at: MarkPage.Offset.state) == SilenceTests.released)
  }

  /// A post-copy may begin as soon as the report is there, and wants the lease to run.
  @Test("the first heartbeat is sent before the report")
  func heartbeatBeforeTheReport() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database, postcopy: true)
    let order = fixture.proxy.received.compactMap {
      switch $0.message {
      case .heartbeat: "heartbeat"
      case .reportEnd: "report"
      default: nil as String?
      }
    }
    #expect(order.prefix(2) == ["heartbeat", "report"])
  }

  @Test("a proxy that answers no heartbeat is sent no more than twenty, and then the hold ends")
  func nobodyAnswers() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    let answered = fixture.proxy.received.count
    fixture.proxy.acknowledges = false
    #expect(database.awaitMessage(milliseconds: 18_000) == nil)
    guard case .release? = database.awaitMessage(milliseconds: 10_000) else {
      Issue.record("nothing is let go")
      return
    }
    #expect(database.mark?.load(at: MarkPage.Offset.state) == SilenceTests.released)
    _ = fixture.proxy.await(seconds: 0.5) { _ in nil as Void? }
    let beats = fixture.proxy.received.dropFirst(answered).count {
      if case .heartbeat = $0.message { true } else { false }
    }
    #expect((19...21).contains(beats), "\(beats)")
  }

  @Test("a guardian that was stopped for longer than a proxy may be silent goes on holding")
  func stoppedGuardian() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    _ = try fixture.hold(with: database)
    kill(fixture.guardian.pid, SIGSTOP)
    usleep(22_000_000)
    kill(fixture.guardian.pid, SIGCONT)
    let beat: Void? = fixture.proxy.await { if case .heartbeat = $0 { () } else { nil } }
    #expect(beat != nil)
    #expect(database.awaitMessage(milliseconds: 1500) == nil)
    #expect(
      database.mark?.load(at: MarkPage.Offset.state) == MarkPage.State.holding.rawValue)
  }
}
