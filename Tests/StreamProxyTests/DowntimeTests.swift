import FoundationEssentials
import Logging
import Testing

@testable import StreamProxy

/// QEMU before 8.2 takes dropped pages for sent, so its downtime limit is made smaller meanwhile.
@Suite(.serialized, .timeLimit(.minutes(10))) struct DowntimeTests {
  /// A source, of 7.2 where it is old, and the proxy's client of it.
  private final class Source {
    let folder: String
    let qmp: FakeQMP
    let client: QMPClient
    let setup: MigrationSetup

    init(isOld: Bool = true) throws {
      folder =
        FileManager.default.temporaryDirectory
        .appending(path: "leafcutter-\(UUID().uuidString.prefix(8))").path
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let address = SocketAddress.unix(path: "\(folder)/qmp")
      qmp = try FakeQMP(at: address, fixture: .i440fx5G)
      if isOld { qmp.state.withLock { $0.parameters["avail-switchover-bandwidth"] = nil } }
      client = try QMPClient.connect(to: address)
      setup = MigrationSetup(client: client)
      _ = try setup.prepare()
    }

    deinit {
      client.close()
      qmp.close()
      try? FileManager.default.removeItem(atPath: folder)
    }

    var limit: UInt64? {
      get { qmp.state.withLock { $0.parameters["downtime-limit"] } }
      set { qmp.state.withLock { $0.parameters["downtime-limit"] = newValue } }
    }
  }

  private func snapshot(_ bytesIn: Double, written: Double, rate: Double?) -> ChannelSnapshot {
    var snapshot = ChannelSnapshot()
    snapshot.counters.bytesIn = UInt64(bytesIn)
    snapshot.bytesWritten = Int(written)
    snapshot.wireRate = rate
    // Only where a page was dropped has less been written than came in.
    snapshot.counters.droppedPages = Int(max(0, bytesIn - written) / 4096)
    return snapshot
  }

  /// The factor after two seconds at these rates, in bytes per second.
  private func factor(absorbed: Double, written: Double, wire: Double?) -> Double? {
    var scale = DowntimeScale()
    var last: Double?
    let start = ContinuousClock.now
    for tick in 0...8 {
      let seconds = Double(tick) / 4
      last = scale.enter(
        snapshot(absorbed * seconds, written: written * seconds, rate: wire),
        at: start + .seconds(seconds))
    }
    return last
  }

  @Test func theFactorIsWhatTheWireTakesOfWhatIsAbsorbed() throws {
    let found = try #require(factor(absorbed: 400e6, written: 100e6, wire: 100e6))
    #expect(abs(found - 0.25) < 0.001)
  }

  @Test func whereNothingHasPushedBackNothingIsScaled() {
    #expect(factor(absorbed: 400e6, written: 100e6, wire: nil) == nil)
  }

  @Test func aSourceThatSendsLessThanTheWireTakesKeepsItsLimit() {
    #expect(factor(absorbed: 5e6, written: 1e6, wire: 100e6) == 1)
    #expect(factor(absorbed: 0, written: 0, wire: 100e6) == 1)
  }

  @Test func aWireThatHasBecomeFasterIsNotHeldToItsOldRate() {
    #expect(factor(absorbed: 100e6, written: 100e6, wire: 10e6) == 1)
    #expect(
      factor(absorbed: 200e6, written: 100e6, wire: 10e6).map { abs($0 - 0.5) < 0.001 } == true)
  }

  @Test func whereNoPageIsDroppedAnyMoreABurstOfOthersLeavesTheLimitWhatItIs() {
    var scale = DowntimeScale()
    let start = ContinuousClock.now
    for tick in 0...8 {
      // What had been waiting in a socket comes in at once.
      let bytes = 4e6 * Double(tick) + (tick >= 7 ? 100e6 : 0)
      let factor = scale.enter(
        snapshot(bytes, written: bytes, rate: 10e6), at: start + .milliseconds(250 * tick))
      #expect(factor == (tick < 4 ? nil : 1))
    }
  }

  @Test func aBurstOfDroppedPagesCountsWhole() throws {
    var scale = DowntimeScale()
    let start = ContinuousClock.now
    var bytes = 0.0
    var last: Double?
    for tick in 0...8 {
      last = scale.enter(
        snapshot(bytes, written: 25e6 * Double(tick), rate: 100e6),
        at: start + .milliseconds(250 * tick))
      // A gigabyte per second for a quarter of one.
      bytes += tick == 6 ? 250e6 : 25e6
    }
    #expect(abs(try #require(last) - 0.1) < 0.001)
  }

  /// Milliseconds until the guest runs at the destination when QEMU stops it as late as it may.
  private func downtime(wire: Double, limit: UInt64, after: Double) -> Double {
    let told = SwitchoverBandwidth.bytesPerSecond(
      wire: wire, inFlight: BytesInFlight.smallest, downtimeLimit: limit)
    let left = Double(told) * Double(limit) / 1000 + Double(BytesInFlight.smallest)
    return left / wire * 1000 + after
  }

  @Test(arguments: [(119e6, 300), (1.2e9, 300), (119e6, 1000), (1.2e9, 150)] as [(Double, UInt64)])
  func whatIsUnderWayAndWhatFollowsThePagesFitsIntoTheLimit(wire: Double, limit: UInt64) {
    let found = downtime(wire: wire, limit: limit, after: 25)
    #expect(found <= Double(limit) + 0.01 && found > Double(limit) - 0.01)
  }

  @Test func aSmallLimitOrASlowWireLeavesQEMUMostOfTheBandwidth() {
    for (wire, limit) in [(119e6, 20), (1e6, 300), (1e4, 1)] as [(Double, UInt64)] {
      let told = SwitchoverBandwidth.bytesPerSecond(
        wire: wire, inFlight: BytesInFlight.smallest, downtimeLimit: limit)
      #expect(Double(told) == (wire * 0.8).rounded())
    }
    // With 0 QEMU would go by its own estimate.
    #expect(SwitchoverBandwidth.bytesPerSecond(wire: 0.2, inFlight: 1, downtimeLimit: 0) == 1)
  }

  /// Has the monitor look after a migration until it is cancelled.
  private func tick(_ source: Source, _ progress: SharedProgress) -> Task<Void, Never> {
    let task = MigrationMonitor(
      progress: progress, pointOfNoReturn: PointOfNoReturn(), qmp: source.client,
      setup: source.setup, downtimeLimit: DowntimeLimit(), showsLine: false, pins: true,
      logger: Logger(label: "test"))
    return Task { await task.run() }
  }

  /// Not waited for in a blocking way: the monitor runs on the same few threads.
  private func settles(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<8000 {
      if condition() { return true }
      try? await Task.sleep(for: .milliseconds(5))
    }
    return false
  }

  @Test func aWireThatProvesAFewPercentSlowerIsPassedOn() async throws {
    let source = try Source(isOld: false)
    let progress = SharedProgress()
    let ticking = tick(source, progress)
    var told: [UInt64] = []
    for rate in [104e6, 100e6] {
      progress.update {
        $0.connectedAt = .now
        $0.channel = self.snapshot(400e6, written: 100e6, rate: rate)
      }
      #expect(await settles { progress.now.pinnedBandwidth.map { told.last != $0 } ?? false })
      told.append(try #require(progress.now.pinnedBandwidth))
    }
    #expect(told[1] < told[0])
    // What is noise is not.
    progress.update { $0.channel.wireRate = 101e6 }
    try await Task.sleep(for: .milliseconds(1500))
    #expect(progress.now.pinnedBandwidth == told[1])
    ticking.cancel()
    await ticking.value
  }

  /// Only windows in which the destination pushes back say what the wire takes.
  @Test func aWireThatPushesBackNoMoreIsTakenForAsFastAsWhatPasses() async throws {
    let source = try Source(isOld: false)
    let progress = SharedProgress()
    let ticking = tick(source, progress)
    progress.update {
      $0.connectedAt = .now
      $0.channel = self.snapshot(40e6, written: 10e6, rate: 10e6)
    }
    #expect(await settles { (progress.now.pinnedBandwidth ?? .max) < 10_000_000 })
    let start = ContinuousClock.now
    var pinned: UInt64 = 0
    while pinned < 80_000_000, start.duration(to: .now) < .seconds(20) {
      let seconds = start.duration(to: .now) / .seconds(1)
      progress.update {
        $0.channel = self.snapshot(
          40e6 + 400e6 * seconds, written: 10e6 + 100e6 * seconds, rate: 10e6)
      }
      try await Task.sleep(for: .milliseconds(5))
      pinned = progress.now.pinnedBandwidth ?? 0
    }
    #expect((80_000_000..<100_000_000).contains(pinned))
    // It pushes back once more.
    progress.update { $0.channel.wireWindows += 1 }
    #expect(await settles { (progress.now.pinnedBandwidth ?? .max) < 10_000_000 })
    ticking.cancel()
    await ticking.value
  }

  @Test func theLimitIsScaledFromTheOperatorsAndPutBack() throws {
    let source = try Source()
    #expect(try source.setup.pin(bytesPerSecond: 1) == .unsupported)
    #expect(try source.setup.scaleDowntimeLimit(by: 0.5) == .set(150))
    #expect(try source.setup.scaleDowntimeLimit(by: 0.1) == .set(30))
    #expect(try source.setup.scaleDowntimeLimit(by: 0.0001) == .set(1))
    #expect(source.limit == 1)
    #expect(source.setup.restore().isEmpty && source.limit == 300)
    #expect(try source.setup.scaleDowntimeLimit(by: 0.5) == .restored)
    #expect(source.limit == 300)
  }

  @Test func aLimitThatTheOperatorSetsMeanwhileIsTheirs() throws {
    let source = try Source()
    #expect(try source.setup.scaleDowntimeLimit(by: 0.5) == .set(150))
    source.limit = 1000
    #expect(try source.setup.scaleDowntimeLimit(by: 0.5) == .set(500))
    source.limit = 2000
    #expect(source.setup.restore().isEmpty && source.limit == 2000)
  }

  @Test func aLimitThatIsRefusedLeavesNothingToPutBack() throws {
    let source = try Source()
    source.qmp.state.withLock { $0.refusal = "no" }
    #expect(throws: QMPError.self) { try source.setup.scaleDowntimeLimit(by: 0.5) }
    #expect(source.limit == 300 && source.setup.restore().isEmpty)
  }

  @Test func aSourceThatKnowsTheBandwidthIsToldItAndKeepsItsLimit() async throws {
    let source = try Source(isOld: false)
    let progress = SharedProgress()
    let ticking = tick(source, progress)
    let start = ContinuousClock.now
    progress.update { $0.connectedAt = start }
    // Of the 300 ms, 25 are for what follows the pages, and 5.2 for 512 KiB under way.
    let isTold = await settles {
      let seconds = start.duration(to: .now) / .seconds(1)
      // Written more slowly than the wire takes it, so that the wire's own rate counts.
      progress.update {
        $0.channel = self.snapshot(400e6 * seconds, written: 50e6 * seconds, rate: 100e6)
      }
      return source.qmp.state.withLock { $0.parameters["avail-switchover-bandwidth"] } == 89_919_040
    }
    ticking.cancel()
    await ticking.value
    #expect(isTold)
    #expect(source.qmp.state.withLock { $0.parameters["downtime-limit"] } == 300)
    #expect(source.setup.restore().isEmpty)
    #expect(source.qmp.state.withLock { $0.parameters["avail-switchover-bandwidth"] } == 0)
  }

  @Test func itIsDoneWhileAMigrationDropsAndNotAfterThePointOfNoReturn() async throws {
    let source = try Source()
    let progress = SharedProgress()
    let point = PointOfNoReturn()
    let task = MigrationMonitor(
      progress: progress, pointOfNoReturn: point, qmp: source.client, setup: source.setup,
      downtimeLimit: DowntimeLimit(), showsLine: false, pins: true, logger: Logger(label: "test"))
    let ticking = Task { await task.run() }
    let start = ContinuousClock.now
    progress.update { $0.connectedAt = start }
    while source.limit == 300, start.duration(to: .now) < .seconds(20) {
      let seconds = start.duration(to: .now) / .seconds(1)
      progress.update {
        $0.channel = self.snapshot(400e6 * seconds, written: 100e6 * seconds, rate: 100e6)
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    // Four ticks of a machine that is busy are no exact quarters of a second.
    #expect((50...100).contains(try #require(source.limit)))
    #expect(await settles { progress.now.scaledDowntimeLimit == source.limit })
    #expect(point.pass())
    source.limit = 777
    try await Task.sleep(for: .milliseconds(1500))
    #expect(source.limit == 777)
    ticking.cancel()
    await ticking.value
  }

  @Test func anInterruptPutsTheLimitBack() async throws {
    let scene = try Scene()
    scene.qmp.state.withLock { $0.parameters["avail-switchover-bandwidth"] = nil }
    let proxy = try scene.makeProxy()
    let running = Task { await proxy.run() }
    #expect(try proxy.setup.scaleDowntimeLimit(by: 0.2) == .set(60))
    scene.qmp.migration(is: "cancelled")
    proxy.interrupt()
    let summary = await running.value
    #expect(summary.outcome == .interrupted)
    #expect(scene.qmp.state.withLock { $0.parameters["downtime-limit"] } == 300)
  }
}
