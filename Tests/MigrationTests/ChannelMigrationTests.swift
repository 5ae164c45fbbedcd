import Foundation
import HookLink
import StreamProxy
import Testing

/// Migrations between two real QEMUs through the proxy, one for each set of channels. They need
/// qemu-system-x86_64 and run when LEAFCUTTER_QEMU is set (1, or the program's path).
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct ChannelMigrationTests {
  @Test("A guest arrives whole over every set of channels", arguments: Way.chosen)
  func arrivesWhole(_ way: Way) async throws {
    let bench = try MigrationBench(way)
    let (source, destination) = (bench.source, bench.destination)
    let running = Task { await bench.proxy.run() }
    if way.stopped { try source.qmp.execute("stop") }
    try source.migrate(to: bench.listenURI)
    try await follow(way, bench)
    let summary = await running.value
    print(way.name, summary.text, destination.complaints, separator: "\n")

    #expect(summary.outcome == .completed, "\(destination.complaints)")
    #expect(summary.text.contains("dropped") && (summary.pagesDropped > 0) == way.drops)
    let postcopy = source.qmp.events.record.contains {
      $0.event == .migration(status: "postcopy-active")
    }
    #expect(postcopy == (way.postcopyAfter != nil))
    if let because = way.zeroesBecause {
      let reason = summary.uneditedReason ?? "none"
      #expect(reason.contains(because) && reason.contains("with zeroes instead"), "\(reason)")
      #expect(summary.guest?.pagesZeroed == UInt64(Firmware.held.count / GuestMemoryFile.pageSize))
    }
    compare(source, destination, way, summary)
  }

  /// Does what an operator would do while a migration of this kind runs.
  private func follow(_ way: Way, _ bench: MigrationBench) async throws {
    if let milliseconds = way.postcopyAfter {
      try await Task.sleep(for: .milliseconds(milliseconds))
      try bench.source.qmp.execute("migrate-start-postcopy")
    }
    guard way.capabilities.contains("pause-before-switchover") else { return }
    try await bench.waitForSourceStatus("pre-switchover")
    try await Task.sleep(for: .seconds(1))
    try bench.source.qmp.execute("migrate-continue", arguments: ["state": "pre-switchover"])
  }

  private func compare(
    _ source: TestMachine, _ destination: TestMachine, _ way: Way, _ summary: MigrationSummary
  ) {
    let pageSize = GuestMemoryFile.pageSize
    let different = source.memory.differences(
      from: destination.memory, in: 0x10_0000..<Firmware.memorySize)
    // The mark page carries the verdict, which only the destination sees.
    let unexpected = different.filter { offset in
      offset != Firmware.markAddress && !(way.drops && Firmware.held.contains(offset))
        && !(way.runs && Firmware.changing.contains(offset))
    }
    #expect(
      unexpected.isEmpty, "\(unexpected.count) pages differ, first at \(unexpected.first ?? 0)")
    let zero = destination.memory.zeroPages(in: Firmware.held)
    if way.drops {
      #expect(zero == Firmware.held.count / pageSize)
      #expect(summary.deadPagesMet > 0 && summary.pagesDropped == summary.deadPagesMet)
      let mark = MarkPage(parsing: destination.memory.page(at: Firmware.markAddress))
      #expect(mark?.verdict != nil && mark?.verdict == mark?.nonce)
      #expect(MarkPage(parsing: source.memory.page(at: Firmware.markAddress))?.verdict == nil)
    } else {
      // Filled before any of it was sent.
      #expect(zero == (way.zeroesBecause == nil ? 0 : Firmware.held.count / pageSize))
    }
  }
}
