import Foundation
import HookLink
import MigrationLab
import Testing

@testable import StreamProxy

/// What goes wrong in the middle, with pages dropped already.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct DisturbedMigrationTests {
  enum Disturbance: CaseIterable {
    case release, destinationDies, cancel, interrupt
  }

  static let ways: [Way] = [
    Way("plain"), .multifd4,
    {
      var way = Way("postcopy-preempt")
      way.capabilities = ["postcopy-ram", "postcopy-preempt"]
      return way
    }(),
  ]

  /// Begins a migration, of which some of the held pages have been dropped then; the mark page passes at the same time.
  private func beginDropping(
    _ bench: MigrationBench
  ) async throws -> (proxy: MigrationProxy, running: Task<MigrationSummary, Never>) {
    let proxy = try bench.makeProxy()
    let running = Task { await proxy.run() }
    try bench.source.migrate(to: bench.listenURI)
    while proxy.progress.now.total.counters.droppedPages == 0 {
      try await Task.sleep(for: .milliseconds(20))
    }
    return (proxy, running)
  }

  @Test(
    "A migration that is disturbed fails, and the guest goes on at the source",
    arguments: ways, Disturbance.allCases)
  func goesOnAtTheSource(_ way: Way, _ disturbance: Disturbance) async throws {
    let bench = try MigrationBench(way, bandwidth: 40 << 20, hung: Hang.end(way))
    let (proxy, running) = try await beginDropping(bench)
    try await Task.sleep(for: .milliseconds(300))
    switch disturbance {
    case .release:
      bench.guest.release()
      try bench.source.set(["max-bandwidth": .number(1 << 30), "downtime-limit": .number(2000)])
    case .destinationDies: bench.destination.kill()
    case .cancel: try bench.source.qmp.execute("migrate_cancel")
    case .interrupt: proxy.interrupt()
    }
    let summary = await running.value
    print(way.name, disturbance, summary.text, separator: "\n")
    #expect(summary.pagesDropped > 0)
    switch (disturbance, summary.outcome) {
    case (.release, .failed(let reason)): #expect(reason.contains("released"))
    case (.destinationDies, .destinationEnded), (.cancel, .sourceEnded), (.interrupt, .interrupted):
      break
    default: Issue.record("the outcome is \(summary.outcome)")
    }
    let goesOn = try await bench.sourceRunsAgain()
    #expect(goesOn)
    let wasTold = bench.guest.messages.contains { if case .abort = $0 { true } else { false } }
    #expect(wasTold)
  }

  @Test(
    "A switchover to post-copy that is refused gives the source its guest back",
    arguments: [["postcopy-ram"], ["postcopy-ram", "postcopy-preempt"]], [false, true])
  func refusedSwitchover(_ capabilities: [String], overTCP: Bool) async throws {
    var way = Way("refused \(capabilities.last ?? "")")
    way.capabilities = capabilities
    way.overTCP = overTCP
    // Disks are the destination's from the switchover on, and have to be taken back.
    way.arguments = [
      "-drive", "if=none,id=disk0,driver=null-co,size=16M", "-device", "virtio-blk-pci,drive=disk0",
    ]
    let bench = try MigrationBench(way, bandwidth: 40 << 20, hung: Hang.end(way))
    let (_, running) = try await beginDropping(bench)
    // The guest begins anew: what it held is somebody else's.
    try bench.source.qmp.execute("system_reset")
    while bench.source.qmp.events.observation.resets == 0 {
      try await Task.sleep(for: .milliseconds(5))
    }
    try bench.source.qmp.execute("migrate-start-postcopy")
    let summary = await running.value
    print(way.name, summary.text, separator: "\n")
    guard case .failed(let reason) = summary.outcome else {
      Issue.record("the outcome is \(summary.outcome)")
      return
    }
    #expect(reason.contains("not proven before post-copy: the guest was reset"))
    let goesOn = try await bench.sourceRunsAgain()
    #expect(goesOn)
    #expect(try bench.source.qmp.queryMigrate().status == "failed")
    #expect((try? bench.destination.qmp.queryMigrate().status) != "completed")
    #expect(bench.sourceIsWhole)
  }

  @Test("A proxy that is stopped during the switch to post-copy gives the source its guest back")
  func stoppedDuringSwitchover() async throws {
    var way = Way("stopped during the switchover")
    // The source stays between the guest's stop and what is sent then until it is told to go on.
    way.capabilities = ["postcopy-ram", "pause-before-switchover"]
    let bench = try MigrationBench(way, bandwidth: 40 << 20, hung: Hang.end(way))
    let (proxy, running) = try await beginDropping(bench)
    try bench.source.qmp.execute("migrate-start-postcopy")
    try await bench.source.waitForStatus("pre-switchover")
    proxy.interrupt()
    try bench.source.qmp.execute("migrate-continue", arguments: ["state": "pre-switchover"])
    let summary = await running.value
    print(way.name, summary.text, separator: "\n")
    #expect(summary.outcome == .interrupted)
    let goesOn = try await bench.sourceRunsAgain()
    #expect(goesOn)
    #expect((try? bench.destination.qmp.queryMigrate().status) != "completed")
    #expect(bench.sourceIsWhole)
  }

  enum Recovery: CaseIterable {
    case atTheSamePlace, elsewhere, withoutTheProxy
  }

  @Test("Post-copy whose connections broke is recovered", arguments: Recovery.allCases)
  func recovery(_ recovery: Recovery) async throws {
    var way = Way("recovery")
    way.capabilities = ["postcopy-ram", "postcopy-preempt"]
    way.parameters = ["max-postcopy-bandwidth": .number(20 << 20)]
    way.postcopy = .whenRemaining(80 << 20)
    way.runs = true
    let bench = try MigrationBench(way, hung: Hang.end(way))
    let proxy = try bench.makeProxy()
    let running = Task { await proxy.run() }
    try await bench.migrate(to: bench.listenURI)
    try await bench.source.waitForStatus("postcopy-active")
    let new = "tcp:127.0.0.1:\(Int.random(in: 30000..<32000))"
    let retarget = OperatorRequest.retarget(try #require(SocketAddress(new)))
    // As long as the connections are there, later ones belong to them.
    #expect(throws: OperatorError.self) { try OperatorClient.ask(retarget, at: bench.control) }
    try await Task.sleep(for: .milliseconds(300))
    try bench.source.qmp.execute("migrate-pause")
    try await bench.source.waitForStatus("postcopy-paused")
    try await bench.destination.waitForStatus("postcopy-paused")
    let uri = recovery == .atTheSamePlace ? bench.connectURI : new
    try bench.destination.qmp.execute("migrate-recover", arguments: ["uri": uri])
    if recovery == .elsewhere {
      let answer = try OperatorClient.ask(retarget, at: bench.control)
      #expect(answer == #"{"target":"\#(new)"}"#)
      // The connections are gone a moment before it says so.
      while try !OperatorClient.ask(.status, at: bench.control).contains("awaits-recovery") {
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    let isDirect = recovery == .withoutTheProxy
    try bench.source.migrate(to: isDirect ? new : bench.listenURI, resume: true)
    let summary = await running.value
    print(way.name, summary.text, separator: "\n")
    #expect(summary.outcome == .completed)
    #expect(summary.pagesDropped > 0)
    let comparison = bench.compare(dropped: true)
    #expect(comparison.isEqual, "\(comparison.first ?? "")")
  }

  /// The link between the hosts breaks in the middle of what it carries; the destination listens elsewhere,
  /// over the same link, and the proxy hears of it from its operator.
  @Test("Post-copy whose link was cut is recovered, and once more", arguments: [true, false])
  func cutLink(preempt: Bool) async throws {
    var way = Way("cut link")
    way.capabilities = ["postcopy-ram"] + (preempt ? ["postcopy-preempt"] : [])
    way.parameters = ["max-postcopy-bandwidth": .number(10 << 20)]
    way.postcopy = .whenRemaining(80 << 20)
    way.runs = true
    let bench = try MigrationBench(way, hung: Hang.end(way))
    let proxy = try bench.makeProxy()
    let folder = "/tmp/lcc\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let running = Task { await proxy.run() }
    var link = try link(in: folder, 0, to: bench.connectURI, of: bench)
    try await bench.migrate(to: bench.listenURI)
    for round in 1...2 {
      try await bench.source.waitForStatus("postcopy-active")
      try await Task.sleep(for: .milliseconds(300))
      link.cut()
      link.stop()
      try await bench.source.waitForStatus("postcopy-paused")
      try await bench.destination.waitForStatus("postcopy-paused")
      let new = "unix:\(folder)/destination\(round)"
      try bench.destination.qmp.execute("migrate-recover", arguments: ["uri": new])
      while try !OperatorClient.ask(.status, at: bench.control).contains("awaits-recovery") {
        try await Task.sleep(for: .milliseconds(20))
      }
      link = try self.link(in: folder, round, to: new, of: bench)
      try bench.source.migrate(to: bench.listenURI, resume: true)
    }
    let summary = await running.value
    link.stop()
    print(way.name, summary.text, separator: "\n")
    #expect(summary.outcome == .completed)
    #expect(summary.pagesDropped > 0)
    let comparison = bench.compare(dropped: true)
    #expect(comparison.isEqual, "\(comparison.first ?? "")")
  }

  /// A link that the proxy is told to use.
  private func link(
    in folder: String, _ number: Int, to uri: String, of bench: MigrationBench
  ) throws -> LongLink {
    let wire = SocketAddress.unix(path: "\(folder)/\(number)")
    let link = try LongLink(
      at: wire, to: try #require(SocketAddress(uri)), delay: .milliseconds(1),
      bytesPerSecond: 500_000_000)
    _ = try OperatorClient.ask(.retarget(wire), at: bench.control)
    return link
  }
}
