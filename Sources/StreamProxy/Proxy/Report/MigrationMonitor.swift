import Logging
import Threads

/// What goes on beside the data path while a migration runs: the progress is shown, QEMU's idea of the bandwidth is
/// kept at what the wire really takes, and ports that have been closed are asked after.
struct MigrationMonitor: Sendable {
  private static let interval = Duration.milliseconds(250)
  /// Plain log lines come this often where there is no terminal.
  private static let ticksPerLogLine = 20
  /// Bytes per second. Below it the line says 0 or 1 MB/s, and how long the rest takes is a guess.
  private static let slowestShown = 1e5
  /// A new measurement of the wire is passed on when it differs by more than this: of a limit of 300 ms
  /// these are 6. The first ones are too high by more, because buffers fill.
  private static let wireTolerance = 0.02
  /// The same for the share of the downtime limit.
  private static let shareTolerance = 0.1

  let progress: SharedProgress
  let pointOfNoReturn: PointOfNoReturn
  let qmp: QMPClient
  let setup: MigrationSetup
  let downtimeLimit: DowntimeLimit
  let showsLine: Bool
  let pins: Bool
  let logger: Logger
  var hookPort: HookPortWatch?
  /// Called now and then while post-copy waits for a recovery; may block.
  var whilePaused: @Sendable () -> Void = {}

  func run() async {
    var tick = 0
    var correction = Correction()
    var before = (bytes: 0, at: ContinuousClock.now)
    while !Task.isCancelled {
      try? await Task.sleep(for: MigrationMonitor.interval)
      let values = progress.now
      guard values.connectedAt != nil else { continue }
      if values.awaitsRecovery { await BlockingThread.run("paused") { whilePaused() } }
      if let hookPort, hookPort.isBehind {
        await BlockingThread.run("hook-port") { hookPort.catchUp() }
      }
      if pins, values.uneditedReason == nil { await correctBandwidth(values, &correction) }
      tick += 1
      guard showsLine || tick % MigrationMonitor.ticksPerLogLine == 0 else { continue }
      let now = ContinuousClock.now
      let seconds = before.at.duration(to: now) / .seconds(1)
      let rate = Double(values.total.bytesWritten - before.bytes) / max(seconds, 0.001)
      before = (values.total.bytesWritten, now)
      show(await line(values, rate: rate))
    }
    if showsLine { BackgroundOutput.standardError.write("\n") }
  }

  /// Dropping inflates the bandwidth that QEMU believes in, so it would stop the guest too early.
  /// QEMU is told the bandwidth, or, before 8.2, a smaller downtime limit.
  private func correctBandwidth(
    _ values: SharedProgress.Values, _ correction: inout Correction
  ) async {
    let scale = correction.scale.enter(values.total, at: .now)
    correction.unresisted.enter(values.total, at: .now)
    // A burst of pages to drop may be over in a moment: whatever can be done is done before it.
    guard let rate = values.total.wireRate,
      values.total.counters.droppedPages > 0 || values.report.map({ $0.pages > 0 }) == true,
      !values.total.counters.ramEnded, !pointOfNoReturn.isPassed
    else { return }
    if correction.takesBandwidth {
      await pinBandwidth(max(rate, correction.unresisted.bytesPerSecond), values, &correction)
    } else if let scale, correction.isDue(scale) {
      await scaleDowntimeLimit(by: scale)
    }
  }

  private func pinBandwidth(
    _ rate: Double, _ values: SharedProgress.Values, _ correction: inout Correction
  ) async {
    if let told = correction.toldRate, abs(rate - told) < told * MigrationMonitor.wireTolerance {
      return
    }
    let (setup, qmp, downtimeLimit) = (self.setup, self.qmp, self.downtimeLimit)
    let inFlight = values.total.inFlight
    let result = await BlockingThread.run("pin") { () -> (MigrationSetup.Pinning, UInt64)? in
      guard let limit = try? qmp.migrateParameters().downtimeLimit else { return nil }
      downtimeLimit.learn(limit)
      let wanted = SwitchoverBandwidth.bytesPerSecond(
        wire: rate, inFlight: inFlight, downtimeLimit: limit)
      return (try? setup.pin(bytesPerSecond: wanted)).map { ($0, wanted) }
    }
    switch result {
    case (.pinned, let wanted)?:
      correction.toldRate = rate
      progress.update { $0.pinnedBandwidth = wanted }
    case (.unsupported, _)?: correction.takesBandwidth = false
    case (.restored, _)?, nil: break
    }
  }

  private func scaleDowntimeLimit(by factor: Double) async {
    let setup = self.setup
    let result = await BlockingThread.run("downtime") { try? setup.scaleDowntimeLimit(by: factor) }
    if case .set(let limit) = result {
      downtimeLimit.learn(limit)
      progress.update { $0.scaledDowntimeLimit = limit }
    }
  }

  /// What is known of how QEMU can be corrected.
  private struct Correction {
    /// It knows `avail-switchover-bandwidth` (8.2), as far as is known.
    var takesBandwidth = true
    /// The rate of the wire from which it was told a bandwidth last.
    var toldRate: Double?
    var scale = DowntimeScale()
    var unresisted = UnresistedRate()
    private var lastFactor = 1.0
    private var lastScaled = ContinuousClock.now

    /// A limit is lowered at once, and raised once a second; each time it is noted.
    mutating func isDue(_ factor: Double) -> Bool {
      let lowers = factor < lastFactor * (1 - MigrationMonitor.shareTolerance)
      guard lowers || lastScaled.duration(to: .now) >= DowntimeScale.window else { return false }
      lastFactor = factor
      lastScaled = .now
      return true
    }
  }

  private func line(_ values: SharedProgress.Values, rate: Double) async -> String {
    let counters = values.total.counters
    var parts = [
      "round \(max(1, counters.rounds))",
      "\((Double(counters.bytesIn) / 1e9).rounded(to: 2)) GB in",
      "\((Double(values.total.bytesWritten) / 1e9).rounded(to: 2)) GB out",
      "\(counters.droppedPages) dead pages dropped",
      "\((rate / 1e6).rounded(to: 0)) MB/s",
    ]
    let qmp = self.qmp
    if !pointOfNoReturn.isPassed, rate >= MigrationMonitor.slowestShown,
      let remaining = await BlockingThread.run(
        "progress", { (try? qmp.queryMigrate())?.ram?.remaining })
    {
      parts.append("at most \((Double(remaining) / rate).rounded(to: 0)) s left in this round")
    }
    return parts.joined(separator: ", ")
  }

  private func show(_ line: String) {
    if showsLine {
      // Back to the beginning of the line, and clear what is left of the last one (ECMA-48, EL).
      BackgroundOutput.standardError.write("\r\(line)\u{1b}[K")
    } else {
      logger.info("\(line)")
    }
  }
}
