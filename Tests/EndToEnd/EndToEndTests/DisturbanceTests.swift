import FoundationEssentials
import HookLink
import Lab
import StreamProxy
import Testing

extension RealMigrations {
  /// A migration that is ended half-way, after pages have been dropped, leaves a source that serves,
  /// with its cache read back.
  @Suite struct Disturbances {
    @Test func theSourceServesWithItsCacheSoonAfterTheProxyIsKilled() throws {
      let scene = try Scene()
      defer { scene.end() }
      let killedAt = HostClock.now
      scene.proxy.kill()
      // A port that is closed and opened again before an emulated guest has looked was never closed
      // for it: the guardian learns of that from silence only.
      HostClock.sleep(0.5)
      let watch = try HookWatch(scene.source.machine)
      let resumed = try watch.waitForResumed(timeout: 30)
      let seconds = HostClock.seconds(from: killedAt, to: try #require(watch.resumedAt))
      // How long reading takes is the machine's; it is 5 s in all where that takes up to three.
      let step = try #require(resumed.steps.last { $0.step == "resume" })
      let reading = Double(step.nanoseconds) / 1e9
      #expect(
        seconds <= max(5, reading + 2) && reading <= 15,
        "the cache was back after \(seconds) s, \(reading) s of them to read it")
      try scene.expectSourceServes(resumed)
    }

    @Test func cancellingAtTheSourceGivesTheGuestItsCacheBack() throws {
      let scene = try Scene()
      defer { scene.end() }
      try scene.source.machine.qmp.execute("migrate_cancel")
      let summary = try scene.proxy.finish()
      #expect(summary.exitCode == 5)
      try scene.expectSourceServes(nil)
    }

    @Test func aDestinationThatDiesLeavesTheSourceServing() throws {
      let scene = try Scene()
      defer { scene.end() }
      scene.destination.machine.kill()
      let summary = try scene.proxy.finish()
      #expect(summary.exitCode == 4)
      try scene.expectSourceServes(nil)
    }

    /// The frames belong to another kernel after it: nothing that was dropped may count as held.
    @Test func aGuestThatIsResetDoesNotArriveWithDroppedPages() throws {
      let scene = try Scene()
      defer { scene.end() }
      try scene.source.machine.qmp.execute("system_reset")
      let resetAt = HostClock.now
      let summary = try scene.proxy.finish(timeout: 180)
      #expect(summary.exitCode == 3, "\(summary.result) \(summary.reason ?? "")")
      // The source reboots, as it was told.
      _ = try scene.source.store.waitForBeat(after: resetAt + 2_000_000_000, timeout: 60)
      #expect(try scene.source.machine.qmp.queryStatus().running)
    }
  }

  /// What cannot be made short is migrated as ever, or leaves the source as it was.
  @Suite struct OrdinaryMigrations {
    @Test func aGuestWithoutAGuardianMigratesUneditedAndTheSummarySaysWhy() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let source = try bench.boot("source", options: ["leafcutter.guardian=off"])
      _ = try source.store.waitForBeat(timeout: 120)
      let destination = try bench.boot("destination", waits: true)
      try Migration.listen(destination.machine, at: bench.address(of: "destination"))
      let proxy = try bench.proxy(from: source, to: bench.address(of: "destination"))
      _ = try Migration.run(
        from: source.machine, to: destination.machine, uri: proxy.address, timeout: 120)
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0)
      #expect(summary.pagesDropped == 0)
      #expect(try #require(summary.uneditedReason).contains("leafcutter-guest does not run"))
      _ = try destination.store.waitForBeat(timeout: 30)
      source.machine.kill()
      destination.machine.kill()
    }

    @Test func aDestinationThatDoesNotListenLeavesTheSourceRunning() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let source = try bench.boot("source")
      _ = try source.store.waitForBeat(timeout: 120)
      let proxy = try bench.proxy(from: source, to: bench.address(of: "nobody"))
      #expect(throws: LabError.self) {
        try Migration.run(
          from: source.machine, to: source.machine, uri: proxy.address, timeout: 60)
      }
      #expect(try proxy.finish().exitCode == 4)
      #expect(try source.machine.qmp.queryStatus().running)
      source.machine.kill()
    }
  }
}

/// A migration under way through the proxy, slow enough to be disturbed, with pages dropped already.
private struct Scene {
  let bench: Workbench
  let source: Guest
  let destination: Guest
  let proxy: ProxyProcess

  init() throws {
    bench = try Workbench()
    source = try bench.restoreServing("source")
    destination = try bench.boot("destination", waits: true)
    let address = bench.address(of: "destination")
    try Migration.listen(destination.machine, at: address)
    let proxy = try bench.proxy(from: source, to: address)
    self.proxy = proxy
    try Migration.begin(
      from: source.machine, uri: proxy.address, maximumBandwidth: Workbench.slowly)
    guard eventually(within: 60, { proxy.hasReport }) else {
      throw LabError("the guest did not report", logs: proxy.logs + source.machine.logs)
    }
    // Some of what it reported has been met and dropped by then.
    HostClock.sleep(2)
  }

  /// - Parameter resumed: what the guardian said, or nil to hear it now: the proxy has gone, so its
  ///   place at the hook port is free, and the last word is kept for the next who comes.
  func expectSourceServes(_ resumed: GuestMessage.Resumed?) throws {
    let resumed = try resumed ?? HookWatch(source.machine).waitForResumed(timeout: 30)
    #expect(!resumed.atDestination)
    #expect(resumed.leavesInManifest > 0, "\(source.machine.lastWords)")
    #expect(resumed.leavesResident * 100 >= resumed.leavesInManifest * 99)
    #expect(try source.machine.qmp.queryStatus().running)
    // A slow machine needs a moment until the reading back is out of the clients' way.
    let serves = eventually(within: 10) {
      source.operationsInLastSecond() * 10 >= Workbench.operationsPerSecond * 9
    }
    #expect(serves, "\(source.operationsInLastSecond()) operations in the last second")
    let content = try source.verifyEverything()
    #expect(content.documents == bench.documents)
    #expect(content.bad == 0)
    #expect(content.tablesFailed == 0)
  }

  func end() {
    proxy.kill()
    source.machine.kill()
    destination.machine.kill()
    bench.tidy()
  }
}
