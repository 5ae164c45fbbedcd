import FoundationEssentials
import HookLink
import Lab
import StreamProxy
import Testing

/// Every test boots guests and takes all of a small machine, so one at a time.
@Suite(.serialized) enum RealMigrations {}

extension RealMigrations {
  @Suite struct RoundTrips {
    /// Six migrations of one guest, undisturbed but for a pause half-way through the third: none may
    /// fail for the proofs that protect it, pages are dropped in each, and nothing is lost.
    @Test func aGuestGoesToAndFroSixTimes() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      var here = try bench.restoreServing("trip0")
      for trip in 1...6 {
        let there = try bench.boot("trip\(trip)", waits: true)
        try migrate(from: here, to: there, trip: trip, pauses: trip == 3, on: bench)
        here = there
      }
      let content = try here.verifyEverything()
      #expect(content.documents == bench.documents)
      #expect(content.bad == 0)
      #expect(content.tablesFailed == 0)
      here.machine.kill()
    }

    /// XBZRLE forbids editing: the guest fills what it holds with zeroes, and learns at the
    /// destination from nobody's answer that it has arrived.
    @Test func aGuestWhoseStreamCannotBeEditedArrivesWithItsCacheToo() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let here = try bench.restoreServing("delta0")
      let there = try bench.boot("delta1", waits: true)
      let watch = try HookWatch(there.machine)
      let address = bench.address(of: there.machine.name)
      for guest in [here, there] {
        try guest.machine.qmp.setMigrateCapabilities(["xbzrle": true])
      }
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      _ = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy.address, timeout: 180)
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
      #expect(summary.pagesDropped == 0)
      #expect(summary.uneditedReason?.contains("with zeroes instead") == true)
      here.machine.kill()
      let resumed = try watch.waitForResumed(timeout: 120)
      #expect(resumed.leavesInManifest > 0, "\(there.machine.lastWords)")
      #expect(resumed.leavesResident * 100 >= resumed.leavesInManifest * 99)
      let content = try there.verifyEverything()
      #expect(content.documents == bench.documents && content.bad == 0)
      #expect(content.tablesFailed == 0)
      there.machine.kill()
    }

    /// Frames of a virtio-mem device's block are found, proven by a probe and dropped as any others.
    ///
    /// The guest is stopped before a page of that block is sent: under emulation QEMU does not see all that a
    /// running guest writes to any block but the first (docs/testing.md).
    @Test func heldFramesInPluggedMemoryAreDropped() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let options = ["memhp_default_state=online_kernel"]
      let here = try bench.bootServing("plugged0", options: options, plugged: Plugged.size)
      let there = try bench.boot(
        "plugged1", waits: true, options: options, plugged: Plugged.size)
      let watch = try HookWatch(there.machine)
      let address = bench.address(of: there.machine.name)
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      var isPaused = false
      _ = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy.address, timeout: 180,
        maximumBandwidth: Workbench.slowly
      ) { _ in
        guard !isPaused, proxy.hasReport else { return }
        isPaused = (try? here.machine.qmp.execute("stop")) != nil
        try? here.machine.qmp.setMigrateParameters(
          MigrationParameters(
            downtimeLimit: Migration.downtimeLimit, maxBandwidth: Migration.unlimited))
      }
      #expect(isPaused)
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
      let plugged = summary.deadSegments.filter { $0.start >= Plugged.address }
      #expect(plugged.reduce(0) { $0 + $1.pages } > 1000, "\(summary.deadSegments)")
      here.machine.kill()
      try there.machine.qmp.execute("cont")
      let resumed = try watch.waitForResumed(timeout: 120)
      #expect(resumed.leavesInManifest > 0, "\(there.machine.lastWords)")
      let content = try there.verifyEverything()
      #expect(content.documents == bench.documents && content.bad == 0)
      #expect(content.tablesFailed == 0)
      there.machine.kill()
    }

    /// Linux 6.1 has neither UFFDIO_MOVE nor PAGEMAP_SCAN.
    @Test func aGuestOnDebiansOwnKernelHoldsLongRunsOfPagesAndLosesNothing() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let here = try bench.bootServing("old0", guest: "guest-6.1")
      let there = try bench.boot("old1", waits: true, guest: "guest-6.1")
      let watch = try HookWatch(there.machine)
      let address = bench.address(of: there.machine.name)
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      _ = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy.address, timeout: 180)
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
      // The database is some 20 000 pages in the cache, of which short runs are not held.
      #expect(summary.pagesDropped > 10_000, "\(summary.account)")
      here.machine.kill()
      let resumed = try watch.waitForResumed(timeout: 120)
      #expect(resumed.leavesInManifest > 0, "\(there.machine.lastWords)")
      #expect(resumed.leavesResident * 100 >= resumed.leavesInManifest * 99)
      let content = try there.verifyEverything()
      #expect(content.documents == bench.documents && content.bad == 0)
      #expect(content.tablesFailed == 0)
      there.machine.kill()
    }

    private enum Plugged {
      /// MiB: enough for the cache, which the kernel takes from there first, and less than the rest, because QEMU
      /// sends the largest block first.
      static let size = 256
      /// The device memory area lies above 4 GiB (hw/i386/pc.c, pc_get_device_memory_range).
      static let address: UInt64 = 1 << 32
    }

    private func migrate(
      from here: Guest, to there: Guest, trip: Int, pauses: Bool, on bench: Workbench
    ) throws {
      let watch = try HookWatch(there.machine)
      let address = bench.address(of: there.machine.name)
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      var isPaused = false
      _ = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy.address, timeout: 180,
        maximumBandwidth: pauses ? Workbench.slowly : Migration.unlimited
      ) { _ in
        guard pauses, !isPaused, proxy.hasReport else { return }
        isPaused = (try? here.machine.qmp.execute("stop")) != nil
      }
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0, "trip \(trip): \(summary.reason ?? "")")
      #expect(summary.pagesDropped > 5_000, "trip \(trip): \(summary.account)")
      here.machine.kill()
      if pauses {
        #expect(isPaused)
        #expect(try !there.machine.qmp.queryStatus().running)
        try there.machine.qmp.execute("cont")
      }
      let resumed = try watch.waitForResumed(timeout: 120)
      #expect(resumed.atDestination)
      #expect(resumed.leavesInManifest > 0, "\(there.machine.lastWords)")
      #expect(resumed.leavesResident * 100 >= resumed.leavesInManifest * 99)
    }
  }
}
