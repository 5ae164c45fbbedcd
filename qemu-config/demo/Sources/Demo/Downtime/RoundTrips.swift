import Lab
import StreamProxy

/// One guest that goes to and fro between the two hosts, without and with Leafcutter by turns, so that
/// whatever else the machine does meets both.
struct RoundTrips {
  let setup: DemoSetup
  /// Of each kind.
  let migrations: Int
  /// YCSB's letter; nil leaves the guest idle.
  let workload: String?
  /// Turned on in both QEMUs.
  let capabilities: [String]

  /// The guest has served so long at the destination, its cache complete, before it is migrated again.
  private static let settleSeconds: Double = 5
  private static let port = 4444

  /// A machine that has the guest, or waits for it.
  private struct Station {
    let machine: VirtualMachine
    let store: StoreConsole
    let host: String
  }

  /// Boots, migrates, and has every document verified at the end.
  ///
  /// - Parameter collect: called after each migration.
  func execute(collect: (DowntimeRun) -> Void) throws(LabError) {
    let image = try setup.image.copy(to: "\(setup.files.scratch)/run.img", files: setup.files)
    defer { image.remove() }
    var here = try station("trip0", image, host: setup.hosts.source)
    defer { here.machine.kill() }
    do throws(LabError) {
      try warmAndServe(here)
      for number in 1...(2 * migrations) {
        HostClock.sleep(RoundTrips.settleSeconds)
        let kind = RoundTrips.kind(of: number)
        let there = try station(
          "trip\(number)", image, host: setup.hosts.other(than: here.host), waits: true)
        do throws(LabError) {
          collect(try migrate(kind, number, from: here, to: there))
        } catch {
          there.machine.kill()
          throw LabError(
            "migration \(number), \(kind.rawValue): \(error.sentence)", logs: error.logs)
        }
        here.machine.kill()
        here = there
      }
      say("verifying every document")
      say("\(try here.store.verifyEverything()) documents are good")
    } catch {
      throw error.adding(here.machine.logs)
    }
  }

  /// Plain, Leafcutter, Leafcutter, plain: so that each goes in both directions.
  private static func kind(of number: Int) -> RunKind {
    number % 4 == 1 || number % 4 == 0 ? .plain : .leafcutter
  }

  private func station(
    _ name: String, _ image: GuestImage, host: String, waits: Bool = false
  ) throws(LabError) -> Station {
    let machine = try VirtualMachine(
      name, setup.machine(image), host: host, waitsForMigration: waits, files: setup.files)
    do throws(LabError) {
      return Station(machine: machine, store: try StoreConsole(machine), host: host)
    } catch {
      machine.kill()
      throw error
    }
  }

  private func warmAndServe(_ station: Station) throws(LabError) {
    say("booting the guest")
    _ = try station.store.waitForBeat(timeout: 120)
    say("warming the cache")
    try station.store.ask("warm", timeout: 600)
    let info = try station.store.ask("info")
    say("\(info["cache_used"] ?? "?") of \(info["cache_bytes"] ?? "?") bytes of cache are in use")
    guard let workload else { return }
    try station.store.ask(
      "run mix=\(workload) rate=\(setup.rate) threads=\(setup.threads) seed=\(setup.seed)")
  }

  private func migrate(
    _ kind: RunKind, _ number: Int, from here: Station, to there: Station
  ) throws(LabError) -> DowntimeRun {
    let hosts = setup.hosts
    let target = "tcp:\(hosts.address(of: there.host)):\(RoundTrips.port)"
    let watch = kind == .leafcutter ? try HookWatch(there.machine) : nil
    for machine in [here.machine, there.machine] { try enable(capabilities, on: machine) }
    try Migration.listen(there.machine, at: target)
    let proxy =
      kind == .leafcutter
      ? try ProxyProcess(
        program: setup.proxyProgram, source: here.machine, destination: target, edits: true,
        host: here.host, files: setup.files)
      : nil
    defer { proxy?.kill() }
    let sentBefore = try hosts.bytesSent(by: here.host)
    let migration: Migration
    do throws(LabError) {
      migration = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy?.address ?? target,
        timeout: setup.timeout
      ) { show($0, kind, number) }
    } catch {
      throw error.adding(proxy?.logs ?? [])
    }
    let wire = try hosts.bytesSent(by: here.host) - sentBefore
    let firstBeat = try there.store.waitForBeat(timeout: 60).hostTime
    let dropped = try proxy.map { proxy throws(LabError) in try pagesDropped(by: proxy) }
    guard
      let timeline = Timeline(
        startedAt: migration.startedAt, firstBeat: firstBeat, source: here.store,
        destination: there.store),
      let downtime = migration.status.downtime, let ram = migration.status.ram
    else { throw LabError("heartbeats or QEMU's figures of the migration are missing") }
    let run = DowntimeRun(
      kind: kind, downtimeQEMU: Double(downtime),
      downtimeClient: timeline.downtimeMilliseconds, totalSeconds: migration.totalSeconds,
      wireBytes: wire, pagesDropped: dropped ?? 0, rounds: Int(ram.dirtySyncCount))
    say(
      "\(number) of \(2 * migrations), \(kind.rawValue): downtime \(downtime) ms, "
        + "\(run.downtimeClient.text(digits: 0)) ms seen by clients, "
        + "\(run.totalSeconds.text(digits: 1)) s, \(run.rounds) rounds, "
        + "\((Double(wire) / 1e6).text(digits: 0)) MB, \(run.pagesDropped) pages dropped")
    _ = try watch?.waitForResumed(timeout: setup.timeout)
    return run
  }

  private func enable(_ names: [String], on machine: VirtualMachine) throws(LabError) {
    do {
      for name in names { try machine.qmp.setMigrateCapabilities([name: true]) }
    } catch {
      throw machine.error("cannot turn on a capability: \(error)")
    }
  }

  private func pagesDropped(by proxy: ProxyProcess) throws(LabError) -> Int {
    let summary = try proxy.finish()
    guard summary.exitCode == 0 else {
      throw LabError("the proxy says: \(summary.result), \(summary.reason ?? "without a reason")")
    }
    if let reason = summary.uneditedReason {
      throw LabError("the proxy dropped nothing: \(reason)")
    }
    return summary.pagesDropped
  }

  private func show(_ status: MigrationStatus, _ kind: RunKind, _ number: Int) {
    guard let ram = status.ram else { return }
    setup.showProgress(
      "\(number) of \(2 * migrations), \(kind.rawValue): round \(ram.dirtySyncCount), "
        + "\(ram.remaining / 1_000_000) MB left in it")
  }

  private func say(_ text: String) { setup.say(text) }
}
