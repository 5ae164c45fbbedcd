import FoundationEssentials
import HookLink
import Lab
import StreamProxy
import Testing

extension RealMigrations {
  /// Guests that get little done: the mark page's time goes on slowly in them, or in leaps. No migration
  /// that nobody disturbs fails for that.
  @Suite struct SlowGuests {
    /// Auto-converge takes 99 % of the processors' time, until the end.
    @Test func aGuestThatIsThrottledToAHundredthArrivesWithItsCache() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let here = try bench.restoreServing("throttled0")
      try here.machine.qmp.setMigrateCapabilities(["auto-converge": true])
      try here.machine.qmp.execute("migrate-set-parameters", arguments: Throttle())
      var most = 0
      try arrive(from: here, "throttled1", bandwidth: 60_000_000, downtimeLimit: 5, on: bench) {
        let throttled = try? here.machine.qmp.execute("query-migrate", returning: Throttled.self)
        most = max(most, throttled?.percentage ?? 0)
      }
      #expect(most == 99)
    }

    @Test func aGuestThatMayStandStillForFiveMillisecondsArrivesWithItsCache() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      try arrive(from: try bench.restoreServing("brief0"), "brief1", downtimeLimit: 5, on: bench)
    }

    @Test func aGuestWhoseProcessorIsTakenByBusyLoopsArrivesWithItsCache() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let options = ["leafcutter.busy=2"]
      let here = try bench.bootServing("starved0", options: options)
      try arrive(from: here, "starved1", options: options, on: bench)
    }

    /// Its cache and what else it has are more than its memory.
    @Test func aGuestThatSwapsArrivesWithItsCache() throws {
      let bench = try Workbench(documents: 100_000)
      defer { bench.tidy() }
      // With the usual headroom all that is held may be given back: some 15 to 40 MiB are available.
      let options = ["leafcutter.swap=128", "mem=236M", "leafcutter.guest=--headroom,16"]
      let here = try bench.bootServing("swapping0", options: options)
      // Not all of the cache has a frame, nor is there memory to fill holes with.
      try arrive(from: here, "swapping1", options: options, dropped: 1000, on: bench)
      let said = here.machine.logs.joined()
      let swapped = said.split(separator: "\n").compactMap { line in
        line.split(separator: "init: KiB swapped out: ").last.flatMap { Int($0) }
      }
      #expect(swapped.contains { $0 > 256 }, "\(swapped)")
    }

    /// The store's user has no capability and 8 MiB of memory that it may lock, until the guardian
    /// raises that.
    @Test func aDatabaseWhoseUserIsNobodyInParticularArrivesWithItsCache() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let options = ["leafcutter.user=1000"]
      try arrive(
        from: try bench.bootServing("user0", options: options), "user1", options: options, on: bench
      )
    }

    private func arrive(
      from here: Guest, _ name: String, options: [String] = [],
      bandwidth: UInt64 = Migration.unlimited, downtimeLimit: UInt64 = Migration.downtimeLimit,
      dropped: Int = 5000, on bench: Workbench, progress: () -> Void = {}
    ) throws {
      let there = try bench.boot(name, waits: true, options: options)
      let watch = try HookWatch(there.machine)
      let address = bench.address(of: name)
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      _ = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy.address, timeout: 120,
        maximumBandwidth: bandwidth, downtimeLimit: downtimeLimit
      ) { _ in progress() }
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
      #expect(
        summary.pagesDropped > dropped, "\(summary.account)\n\(here.machine.lastWords)")
      here.machine.kill()
      let resumed = try watch.waitForResumed(timeout: 120)
      #expect(resumed.atDestination)
      #expect(resumed.leavesInManifest > 0, "\(there.machine.lastWords)")
      #expect(resumed.leavesResident * 100 >= resumed.leavesInManifest * 95)
      let content = try there.verifyEverything()
      #expect(content.documents == bench.documents && content.bad == 0)
      #expect(content.tablesFailed == 0)
      there.machine.kill()
    }
  }
}

/// From the first time on that a round has sent more than it is to: at once all that QEMU may take.
private struct Throttle: Encodable {
  var trigger = 1
  var first = 99
  var most = 99

  private enum CodingKeys: String, CodingKey {
    case trigger = "throttle-trigger-threshold"
    case first = "cpu-throttle-initial"
    case most = "max-cpu-throttle"
  }
}

private struct Throttled: Decodable {
  /// nil where it is not.
  var percentage: Int?

  private enum CodingKeys: String, CodingKey { case percentage = "cpu-throttle-percentage" }
}
