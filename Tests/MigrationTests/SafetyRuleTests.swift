import Foundation
import HookLink
import MigrationLab
import Testing

@testable import StreamProxy

/// Each of the proxy's rules in docs/architecture.md ("Each rule"), switched off and on in the same scenario:
/// without it pages are lost that somebody needs, and with it none is. What is lost without any rule broken would not be noticed
/// elsewhere either.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct SafetyRuleTests {
  enum Rule: CaseIterable {
    case releasedBeforeRelease, acknowledgedWhenCleared, eventsUpToStop, lastCopyDecides, lease
  }

  /// Once held, and dropped, and then somebody else's.
  private static let reused: Range<UInt64> = 40 << 20..<44 << 20

  @Test(
    "Pages are lost without the rule, and none with it", arguments: Rule.allCases, [false, true])
  func losesPagesWithoutIt(_ rule: Rule, isOn: Bool) async throws {
    let run = try RuleRun(rule, isOn: isOn, reused: SafetyRuleTests.reused)
    let (bench, proxy) = (run.bench, run.proxy)
    let running = Task { await proxy.run() }
    try bench.source.migrate(to: bench.listenURI)
    // Of what the guest takes anew all has been dropped, and the mark page has passed.
    while try !run.hasSent(to: SafetyRuleTests.reused.upperBound) {
      try await Task.sleep(for: .milliseconds(10))
    }
    try await run.disturb()
    let summary = await running.value
    print(rule, isOn ? "on" : "off", summary.text, separator: "\n")
    #expect(summary.pagesDropped > 0)

    if isOn, rule != .acknowledgedWhenCleared {
      guard case .failed(let reason) = summary.outcome else {
        Issue.record("the outcome is \(summary.outcome)")
        return
      }
      #expect(reason.contains(run.expectedReason), "\(reason)")
      let goesOn = try await bench.sourceRunsAgain()
      #expect(goesOn)
      // It may have ended, as a QEMU does whose incoming migration has failed.
      let arrived = try? bench.destination.qmp.queryMigrate().status
      #expect(arrived != "completed")
      return
    }
    #expect(summary.outcome == .completed)
    let comparison = bench.compare(dropped: true, reused: SafetyRuleTests.reused)
    print("lost: \(comparison.unexpected) pages; \(comparison.first ?? "none")")
    if isOn {
      #expect(comparison.isEqual, "\(comparison.first ?? "")")
    } else {
      // Those that were reported: three quarters of them, less than which would be an accident.
      let pages = SafetyRuleTests.reused.count / GuestMemoryFile.pageSize
      #expect(comparison.unexpected > pages / 2 && comparison.unexpected <= pages)
    }
  }
}

/// One migration in which frames become somebody else's, with a rule in force or without it.
private final class RuleRun {
  let bench: MigrationBench
  let proxy: MigrationProxy
  private let rule: SafetyRuleTests.Rule
  private let isOn: Bool
  private let reused: Range<UInt64>
  private let folder: String
  private let events: LateEvents

  init(_ rule: SafetyRuleTests.Rule, isOn: Bool, reused: Range<UInt64>) throws {
    (self.rule, self.isOn, self.reused) = (rule, isOn, reused)
    var way = Way("\(rule) \(isOn ? "on" : "off")")
    if rule == .lease { way.capabilities = ["postcopy-ram"] }
    bench = try MigrationBench(way, bandwidth: 40 << 20, seconds: 60, hung: Hang.end(way))
    folder =
      FileManager.default.temporaryDirectory.path
      + "/lcs\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    let events = try LateEvents(at: "\(folder)/qmp", of: bench.source)
    self.events = events
    proxy = try bench.makeProxy { options in
      options.qmp = events.address
      // How old a copy may be is no matter here, and the guest's clock is a processor's.
      options.markBound = .seconds(600)
      switch rule {
      case .releasedBeforeRelease: break
      case .acknowledgedWhenCleared: options.rules.clearsBeforeAcknowledging = isOn
      case .eventsUpToStop: options.rules.hearsEventsUpToStop = isOn
      case .lastCopyDecides: options.rules.lastCopyDecides = isOn
      case .lease: options.rules.wantsLease = isOn
      }
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// What the proxy says where the rule has saved the pages.
  var expectedReason: String {
    switch rule {
    case .releasedBeforeRelease, .lastCopyDecides: "released frames without an acknowledgement"
    case .acknowledgedWhenCleared: ""
    case .eventsUpToStop: "the guest was reset"
    case .lease: "the last acknowledged heartbeat"
    }
  }

  /// Whether the first round has come beyond an address, and pages were dropped.
  func hasSent(to address: UInt64) throws -> Bool {
    let counters = proxy.progress.now.total.counters
    return counters.droppedPages > 0 && counters.bytesIn > address
  }

  /// What happens while the migration is under way, up to its end.
  func disturb() async throws {
    switch rule {
    case .releasedBeforeRelease:
      // A guest that breaks the rule lets go first; it does not come to say so before it is stopped.
      if isOn { bench.guest.release() }
      try await bench.reuse(reused)
      try converge()
    case .acknowledgedWhenCleared:
      try await bench.guest.revoke(reused)
      try await bench.reuse(reused)
      try converge()
    case .eventsUpToStop:
      events.hold()
      bench.guest.fallSilent()
      try await bench.reset(into: reused)
      try converge()
      try await letEventsCome()
    case .lastCopyDecides:
      bench.guest.release()
      try await bench.reuse(reused)
      try converge()
    case .lease:
      // The next copy of the mark page is a round away, after the guest's stop.
      try bench.source.set(["max-bandwidth": .number(4 << 20)])
      bench.guest.fallSilent()
      try await Task.sleep(for: .seconds(6))
      bench.guest.release()
      try await bench.reuse(reused)
      try bench.source.qmp.execute("migrate-start-postcopy")
      try bench.source.set(["max-bandwidth": .number(1 << 30)])
    }
  }

  private func converge() throws {
    try bench.source.set(["max-bandwidth": .number(1 << 30), "downtime-limit": .number(2000)])
  }

  /// They come when the guest is at the destination, where nobody waits for them, or else when the
  /// proxy has had END for a while. Nothing is asked: QEMU answers nothing while it cannot write.
  private func letEventsCome() async throws {
    let heard = bench.source.qmp.events
    while heard.observation.isStopped != true { try await Task.sleep(for: .milliseconds(5)) }
    if isOn {
      try await Task.sleep(for: .milliseconds(1000))
    } else {
      while heard.observation.migrationStatus != "completed" {
        try await Task.sleep(for: .milliseconds(5))
      }
    }
    events.letGo()
  }
}
