import Foundation
import HookLink
import Testing

@testable import StreamProxy

/// What goes wrong in the middle, with pages dropped already.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct DisturbedMigrationTests {
  enum Disturbance: CaseIterable {
    case release, destinationDies, cancel, interrupt
  }

  static let ways = [
    Way(name: "plain"),
    Way(
      name: "multifd 4", capabilities: ["multifd"], parameters: ["multifd-channels": .number(4)],
      overTCP: true),
    Way(name: "postcopy-preempt", capabilities: ["postcopy-ram", "postcopy-preempt"]),
  ]

  @Test(
    "A migration that is disturbed fails, and the guest goes on at the source",
    arguments: ways, Disturbance.allCases)
  func goesOnAtTheSource(_ way: Way, _ disturbance: Disturbance) async throws {
    let bench = try MigrationBench(way, bandwidth: 40 << 20)
    let running = Task { await bench.proxy.run() }
    try bench.source.migrate(to: bench.listenURI)
    // Until some of the held pages have been dropped; the mark page passes at the same time.
    while bench.proxy.progress.now.total.counters.droppedPages == 0 {
      try await Task.sleep(for: .milliseconds(20))
    }
    try await Task.sleep(for: .milliseconds(300))
    switch disturbance {
    case .release:
      bench.guest.release()
      try bench.source.set(["max-bandwidth": .number(1 << 30), "downtime-limit": .number(2000)])
    case .destinationDies: bench.destination.kill()
    case .cancel: try bench.source.qmp.execute("migrate_cancel")
    case .interrupt: bench.proxy.interrupt()
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

  enum Recovery: CaseIterable {
    case atTheSamePlace, elsewhere, withoutTheProxy
  }

  @Test("Post-copy whose connections broke is recovered", arguments: Recovery.allCases)
  func recovery(_ recovery: Recovery) async throws {
    var way = Way(
      name: "recovery", capabilities: ["postcopy-ram", "postcopy-preempt"],
      parameters: ["max-postcopy-bandwidth": .number(20 << 20)], postcopyAfter: 1500)
    way.runs = true
    let bench = try MigrationBench(way)
    let running = Task { await bench.proxy.run() }
    try bench.source.migrate(to: bench.listenURI)
    try await Task.sleep(for: .milliseconds(1500))
    try bench.source.qmp.execute("migrate-start-postcopy")
    try await bench.waitForSourceStatus("postcopy-active")
    let new = "tcp:127.0.0.1:\(Int.random(in: 30000..<32000))"
    let retarget = OperatorRequest.retarget(try #require(SocketAddress(new)))
    // As long as the connections are there, later ones belong to them.
    #expect(throws: OperatorError.self) { try OperatorClient.ask(retarget, at: bench.control) }
    try await Task.sleep(for: .milliseconds(300))
    try bench.source.qmp.execute("migrate-pause")
    try await bench.waitForSourceStatus("postcopy-paused")
    while try bench.destination.qmp.queryMigrate().status != "postcopy-paused" {
      try await Task.sleep(for: .milliseconds(50))
    }
    let uri = recovery == .atTheSamePlace ? bench.connectURI : new
    try bench.destination.qmp.execute("migrate-recover", arguments: ["uri": uri])
    if recovery == .elsewhere {
      let answer = try OperatorClient.ask(retarget, at: bench.control)
      #expect(answer == #"{"target":"\#(new)"}"#)
      let status = try OperatorClient.ask(.status, at: bench.control)
      #expect(status.contains(#""state":"awaits-recovery""#), "\(status)")
    }
    let isDirect = recovery == .withoutTheProxy
    try bench.source.migrate(to: isDirect ? new : bench.listenURI, resume: true)
    if isDirect {
      try await bench.waitForSourceStatus("completed")
      bench.proxy.interrupt()
    }
    let summary = await running.value
    print(way.name, summary.text, separator: "\n")
    #expect(summary.outcome == (isDirect ? .interrupted : .completed))
    #expect(summary.pagesDropped > 0)
    let different = bench.source.memory.differences(
      from: bench.destination.memory, in: 0x10_0000..<Firmware.memorySize)
    let unexpected = different.filter {
      $0 != Firmware.markAddress && !Firmware.changing.contains($0) && !Firmware.held.contains($0)
    }
    #expect(unexpected.isEmpty)
  }
}
