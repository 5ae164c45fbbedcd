import Foundation
import HookLink
import MigrationLab
import StreamProxy
import Testing

/// Migrations between two real QEMUs through the proxy, one for each set of channels. They need
/// qemu-system-x86_64 and run when LEAFCUTTER_QEMU is set (1, or the program's path).
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct ChannelMigrationTests {
  static let ways: [Way] = [
    .plain, .pausing, .xbzrle, .multifd1, .multifd2, .multifd4, .legacyZeroPages,
    changed(.multifd2, "multifd 2, machine of 7.2") { $0.machineVersion = "7.2" },
    changed(.multifd2, "multifd 2, slow guest") { $0.preparation = 2500 },
    .tls, .tlsMultifd, .tlsPreempt, .zlib, .zstd, .postcopyUnused, .postcopy, .preempt,
    changed(.postcopy, "postcopy-ram, guest runs") { $0.runs = true },
    changed(.preempt, "postcopy-preempt, guest runs, TCP") {
      $0.runs = true
      $0.overTCP = true
    },
    changed(.preempt, "postcopy-preempt, machine of 7.2, guest runs") {
      $0.machineVersion = "7.2"
      $0.runs = true
    },
    .postcopyAtOnce,
  ]

  private static func changed(_ way: Way, _ name: String, _ change: (inout Way) -> Void) -> Way {
    way.with {
      $0.name = name
      change(&$0)
    }
  }

  /// Those whose name contains LEAFCUTTER_WAYS, or all.
  static let chosen = ways.filter { way in
    ProcessInfo.processInfo.environment["LEAFCUTTER_WAYS"].map(way.name.contains) ?? true
  }

  @Test("A guest arrives whole over every set of channels", arguments: chosen)
  func arrivesWhole(_ way: Way) async throws {
    let bench = try MigrationBench(way, hung: Hang.end(way))
    let proxy = try bench.makeProxy()
    let running = Task { await proxy.run() }
    try await bench.migrate(to: bench.listenURI)
    let summary = await running.value
    print(way.name, summary.text, bench.destination.complaints, separator: "\n")

    #expect(summary.outcome == .completed, "\(bench.destination.complaints)")
    let drops = way.expectation == .drops
    #expect(summary.text.contains("dropped") && (summary.pagesDropped > 0) == drops)
    let postcopy = bench.source.qmp.events.record.contains {
      $0.event == .migration(status: "postcopy-active")
    }
    #expect(postcopy == (way.postcopy != nil))
    if case .zeroes(let because) = way.expectation {
      let reason = summary.uneditedReason ?? "none"
      #expect(reason.contains(because) && reason.contains("with zeroes instead"), "\(reason)")
      #expect(summary.guest?.pagesZeroed == UInt64(bench.content.heldPages))
      #expect(bench.guest.wasAskedForZeroes)
    }
    compare(bench, way, summary)
  }

  private func compare(_ bench: MigrationBench, _ way: Way, _ summary: MigrationSummary) {
    let comparison = bench.compare(dropped: way.expectation == .drops)
    #expect(
      comparison.isEqual, "\(comparison.unexpected) pages differ: \(comparison.first ?? "")")
    switch way.expectation {
    case .drops:
      #expect(comparison.isDropped(atLeast: way.leastShareDropped))
      #expect(summary.deadPagesMet > 0 && summary.pagesDropped == summary.deadPagesMet)
      let address = Int(GuestContent.markAddress)
      let mark = MarkPage(parsing: bench.destination.memory[0].page(at: address))
      #expect(mark?.verdict != nil && mark?.verdict == mark?.nonce)
      #expect(MarkPage(parsing: bench.source.memory[0].page(at: address))?.verdict == nil)
    case .zeroes:
      // Filled before any of it was sent.
      #expect(comparison.isDropped(atLeast: 1))
    default:
      #expect(comparison.zeroHeld.allSatisfy { $0.zero == 0 })
    }
  }
}

extension Way: CustomTestStringConvertible {
  public var testDescription: String { name }
}

enum Hang {
  /// Nothing can be waited for any more.
  static func end(_ way: Way) -> @Sendable (String) -> Void {
    { complaints in
      print("HANG in \(way.name)", complaints)
      exit(99)
    }
  }
}
