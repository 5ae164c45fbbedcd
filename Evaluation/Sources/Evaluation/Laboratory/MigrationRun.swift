import EvaluationReport
import Lab
import StreamProxy

/// One run: a saved guest is started, serves, is migrated by a method, and is looked at after it.
struct MigrationRun {
  let bench: Bench
  let hosts: TwoHosts
  let snapshot: GuestSnapshot
  let method: Method
  let storage: StorageLimit?
  /// The rest of the store's command, e.g. `mix=C rate=100 threads=4`; nil leaves the guest idle.
  let workload: String?
  /// Seconds that the workload runs before.
  var before = 5.0
  /// Seconds after the switchover for which the store is watched at least.
  var after = 1.0
  /// Whether every document is read and checked at the end.
  var verifies = false
  /// Whether operations over time are kept.
  var keepsStretches = false
  /// Seconds.
  var timeout = 120.0

  private static let port = 4444
  /// Reading back yields to clients, and has no limit of its own.
  private static let refaultTimeout = 300.0
  /// So long at least operations have to be at 90 % on average.
  private static let recoveryWindow = 3.0
  /// An emulator translates what a workload runs while it runs for the first time.
  private static let secondsOfTranslation = 4.0
  /// The proxy's exit codes where the source's migration was cancelled, before and after the first dropped
  /// page.
  private static let cancelled: Set<Int32> = [5, 3]

  /// - Throws: where something failed, or content was bad.
  func execute(into run: inout Run) throws(LabError) {
    let disk = try snapshot.copyDisk()
    defer { disk.remove() }
    let source = try snapshot.restore("source", on: disk, host: hosts.source, storage: storage)
    defer { source.kill() }
    let destination = try snapshot.destination(
      "destination", on: disk, host: hosts.destination, storage: storage)
    defer { destination.kill() }
    do throws(LabError) {
      try serveAndMigrate(source, destination, &run)
    } catch {
      throw error.adding(source.logs + destination.logs)
    }
  }

  private func serveAndMigrate(
    _ source: VirtualMachine, _ destination: VirtualMachine, _ run: inout Run
  ) throws(LabError) {
    let store = try StoreConsole(source)
    _ = try store.waitForBeat(timeout: 60)
    if let workload { try store.ask("run \(workload)") }
    HostClock.sleep(before)
    let arrival = try StoreConsole(destination)
    let hook = try HookWatch(destination)
    try method.configure([source, destination], memory: bench.memory)
    let uri = "tcp:\(hosts.address(of: hosts.destination)):\(MigrationRun.port)"
    try Migration.listen(destination, at: uri)
    let proxy = try startProxy(source, uri)
    defer { proxy?.kill() }

    let account = try CostAccount(source, destination, store)
    let sentBefore = try hosts.bytesSent()
    let ordered = HostClock.now
    try makeSmall(source, store)
    let startedAt = HostClock.now
    let result: OrderedMigration.Result
    do throws(LabError) {
      result = try OrderedMigration(
        method: method, source: source, destination: destination, timeout: timeout
      ).run(to: proxy?.address ?? uri) {
        proxy?.hasReport ?? true
      } beforeCancelling: { () throws(LabError) in
        // A cancelled migration ends them.
        run[.destinationProcessor] = try account.destinationSeconds()
        run[.proxyProcessor] = try proxy.map { proxy throws(LabError) in
          try ProcessorTime.of(proxy.pid)
        }
      }
    } catch {
      throw error.adding(proxy?.logs ?? [])
    }
    run[.converged] = result.converged ? 1 : 0
    run[.total] = HostClock.seconds(from: ordered, to: result.completedAt)
    run[.operatorPreparation] = HostClock.seconds(from: ordered, to: startedAt)
    run[.wireBytes] = Double(try hosts.bytesSent() - sentBefore)
    run[.rounds] = (result.status.ram?.dirtySyncCount).map { Double($0) }
    if method.postcopySwitch != nil {
      run[.postcopySwitched] = result.switchedToPostcopy ? 1 : 0
    }
    run[.sourceProcessor] = try account.sourceSeconds()
    guard result.converged else {
      // Nobody has a guest that is between two hosts.
      if !result.switchedToPostcopy { try goOn(at: source, store, proxy, account, &run) }
      return
    }
    run[.downtimeQEMU] = result.status.downtime.map { Double($0) }
    let firstBeat = try arrival.waitForBeat(timeout: 60).hostTime
    run[.stopped] = stopped(source, destination)
    if let proxy { try add(try proxy.finish(), to: &run) }
    try makeLarge(destination, arrival)
    if method.usesLeafcutter, method != .leafcutterNoRefault {
      try waitForRefault(hook, since: firstBeat, &run)
    }
    HostClock.sleep(after - HostClock.seconds(from: firstBeat, to: HostClock.now))
    run[.destinationProcessor] = try account.destinationSeconds()
    try account.add(to: &run, storageOf: [source, destination], store: arrival)
    guard
      let timeline = Timeline(
        startedAt: ordered, firstBeat: firstBeat, source: store, destination: arrival,
        secondsBefore: min(
          Timeline.secondsBefore, max(before - MigrationRun.secondsOfTranslation, before / 2)),
        secondsAfter: min(Timeline.secondsAfter, after))
    else { throw LabError("the store's heartbeats do not reach over the migration") }
    add(timeline, to: &run)
    try check(arrival, &run)
  }

  /// What an operator does by hand before a migration.
  private func makeSmall(
    _ machine: VirtualMachine, _ store: StoreConsole
  ) throws(LabError) {
    if method == .shrunkCache { try store.ask("cache mib=\(Bench.smallCache)", timeout: 60) }
    if method.usesBalloon { try BalloonDevice.inflate(machine, store, memory: bench.memory << 20) }
  }

  /// And after it.
  private func makeLarge(
    _ machine: VirtualMachine, _ store: StoreConsole
  ) throws(LabError) {
    if method.usesBalloon { try BalloonDevice.deflate(machine, memory: bench.memory << 20) }
    if method == .shrunkCache { try store.ask("cache mib=\(snapshot.cache)") }
  }

  /// After a migration that was cancelled the guest has to be where it was, with its content.
  private func goOn(
    at source: VirtualMachine, _ store: StoreConsole, _ proxy: ProxyProcess?,
    _ account: CostAccount, _ run: inout Run
  ) throws(LabError) {
    if let code = try proxy?.finish().exitCode, !MigrationRun.cancelled.contains(code) {
      throw LabError("the proxy's exit code is \(code) after the migration was cancelled")
    }
    _ = try store.waitForBeat(after: HostClock.now, timeout: 60)
    run[.sourceProcessor] = try account.sourceSeconds()
    try account.add(to: &run, storageOf: [source], store: store)
    try check(store, &run)
  }

  /// Milliseconds; nil where QEMU did not say.
  private func stopped(_ source: VirtualMachine, _ destination: VirtualMachine) -> Double? {
    guard let stop = source.qmp.events.record.last(where: { $0.event == .stop }),
      let resume = destination.qmp.events.record.last(where: { $0.event == .resume })
    else { return nil }
    return (resume.receivedAt - stop.receivedAt) / .milliseconds(1)
  }

  private func startProxy(_ source: VirtualMachine, _ uri: String) throws(LabError) -> ProxyProcess?
  {
    guard method.usesLeafcutter else { return nil }
    return try ProxyProcess(
      program: bench.proxyProgram, source: source, destination: uri, edits: true,
      host: hosts.source, listen: bench.proxySocket.address(bench.files), files: bench.files)
  }

  private func add(_ summary: ProxyProcess.Summary, to run: inout Run) throws(LabError) {
    guard summary.exitCode == 0 else {
      throw LabError("the proxy says: \(summary.result), \(summary.reason ?? "without a reason")")
    }
    if method != .leafcutterZeroing, let reason = summary.uneditedReason {
      throw LabError("the proxy dropped nothing: \(reason)")
    }
    run[.pagesDropped] = Double(summary.pagesDropped)
    run[.prepare] = summary.guest?.prepareSeconds
    run[.proxyProcessor] = summary.proxy.userSeconds + summary.proxy.systemSeconds
  }

  private func waitForRefault(
    _ hook: HookWatch, since firstBeat: UInt64, _ run: inout Run
  ) throws(LabError) {
    let resumed = try hook.waitForResumed(timeout: MigrationRun.refaultTimeout)
    run[.leavesManifest] = Double(resumed.leavesInManifest)
    run[.leavesResident] = Double(resumed.leavesResident)
    run[.refault] = hook.resumedAt.map { HostClock.seconds(from: firstBeat, to: $0) }
  }

  private func add(_ timeline: Timeline, to run: inout Run) {
    run[.downtimeClient] = timeline.downtimeMilliseconds
    guard workload != nil else { return }
    run[.operationsBefore] = timeline.operationsBefore
    run[.operationsDuring] = timeline.operationsDuring
    run[.operationsAfter] = timeline.operationsAfter
    run[.operationErrors] = Double(timeline.errors)
    guard keepsStretches else { return }
    // All methods are looked at for the same time, though a refault may take longer.
    run[.observedAfter] = after
    // Clients ask at the same rate whatever they are given, so 90 % is the same for all.
    run[.secondsTo90] = run.conditions.rate.flatMap { rate in
      timeline.seconds(
        toRate: 0.9 * Double(rate), window: MigrationRun.recoveryWindow, within: after)
    }
    run.stretches = timeline.stretches(of: 1, before: before, after: after).map {
      Run.Stretch(start: $0.start, operationsPerSecond: $0.operationsPerSecond, p99: $0.p99)
    }
  }

  /// What the workload has read was checked as it was read.
  private func check(_ store: StoreConsole, _ run: inout Run) throws(LabError) {
    if workload != nil {
      let sums = try store.ask("halt", timeout: 60)
      guard sums["errors"] == "0" else {
        throw LabError("\(sums["errors"] ?? "?") operations found wrong documents, or failed")
      }
    }
    guard verifies else { return }
    _ = try store.verifyEverything()
    run[.documentsBad] = 0
  }
}
