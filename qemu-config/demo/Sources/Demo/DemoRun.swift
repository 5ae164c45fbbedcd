import Lab
import StreamProxy

/// One migration of a fresh guest, from boot to the last check.
struct DemoRun {
  let kind: RunKind
  let number: Int
  let setup: DemoSetup

  /// Boots, warms, serves, migrates, looks on, verifies. Takes a few minutes under emulation.
  func execute() throws(LabError) -> RunFigures {
    let image = try setup.image.copy(to: "\(setup.files.scratch)/run.img", files: setup.files)
    defer { image.remove() }
    say("booting the source guest")
    let source = try VirtualMachine(
      "\(kind.rawValue)\(number)-source", setup.machine(image), host: setup.hosts.source,
      files: setup.files)
    defer { source.kill() }
    do throws(LabError) {
      return try serveAndMigrate(source, image)
    } catch {
      throw error.adding(source.logs)
    }
  }

  private func serveAndMigrate(
    _ source: VirtualMachine, _ image: GuestImage
  ) throws(LabError) -> RunFigures {
    let store = try StoreConsole(source)
    _ = try store.waitForBeat(timeout: 120)
    say("warming the cache")
    try store.ask("warm", timeout: 600)
    let info = try store.ask("info")
    say(
      "the cache holds \(megabytes(info["cache_used"])) of \(megabytes(info["cache_bytes"])) MB"
        + " of \(info["documents"] ?? "?") documents")

    let destination = try VirtualMachine(
      "\(kind.rawValue)\(number)-destination", setup.machine(image), host: setup.hosts.destination,
      waitsForMigration: true, files: setup.files)
    defer { destination.kill() }
    let arrival = try StoreConsole(destination)
    let hook = try HookWatch(destination)
    try Migration.listen(destination, at: DemoSetup.destinationURI)

    say("serving workload B at \(setup.rate) ops/s")
    try store.ask(
      "run mix=B rate=\(setup.rate) threads=\(setup.threads) seed=\(setup.seed)")
    HostClock.sleep(DemoSetup.settleSeconds + Timeline.secondsBefore)

    let proxy = try startProxy(source)
    defer { proxy?.kill() }
    let sentBefore = try setup.hosts.bytesSent()
    say("migrating")
    let migration: Migration
    do throws(LabError) {
      migration = try Migration.run(
        from: source, to: destination, uri: proxy?.address ?? DemoSetup.destinationURI,
        timeout: setup.timeout
      ) { show($0) }
    } catch {
      throw error.adding(proxy?.logs ?? [])
    }
    let wire = try setup.hosts.bytesSent() - sentBefore
    let firstBeat = try arrival.waitForBeat(timeout: 60).hostTime
    let summary = try proxy?.finish()
    source.kill()

    var figures = RunFigures(kind: kind)
    figures[.total] = migration.totalSeconds
    figures[.downtimeQEMU] = migration.status.downtime.map { Double($0) }
    figures[.wireBytes] = Double(wire)
    figures[.pagesSent] = migration.status.ram.map { Double($0.normal) }
    if let summary { try add(summary, to: &figures) }

    say("running at the destination after \(migration.totalSeconds.text(digits: 1)) s")
    if kind == .leafcutter {
      try waitForRefault(hook, since: firstBeat, &figures)
    }
    let watched = HostClock.seconds(from: firstBeat, to: HostClock.now)
    HostClock.sleep(Timeline.secondsAfter + 1 - watched)
    guard
      let timeline = Timeline(
        startedAt: migration.startedAt, firstBeat: firstBeat, source: store, destination: arrival)
    else { throw LabError("the store's heartbeats do not reach over the migration") }
    add(timeline, to: &figures)
    try verify(arrival, &figures)
    return figures
  }

  private func startProxy(_ source: VirtualMachine) throws(LabError) -> ProxyProcess? {
    guard kind != .plain else { return nil }
    return try ProxyProcess(
      program: setup.proxyProgram, source: source, destination: DemoSetup.destinationURI,
      edits: kind == .leafcutter, host: setup.hosts.source, files: setup.files)
  }

  private func waitForRefault(
    _ hook: HookWatch, since firstBeat: UInt64, _ figures: inout RunFigures
  ) throws(LabError) {
    say("reading the cache back")
    let resumed = try hook.waitForResumed(timeout: setup.timeout)
    figures[.leavesManifest] = Double(resumed.leavesInManifest)
    figures[.leavesRefaulted] = Double(resumed.leavesRefaulted)
    figures[.leavesResident] = Double(resumed.leavesResident)
    figures[.refault] = hook.resumedAt.map { HostClock.seconds(from: firstBeat, to: $0) }
  }

  private func verify(_ store: StoreConsole, _ figures: inout RunFigures) throws(LabError) {
    say("verifying every document")
    figures[.documentsVerified] = Double(try store.verifyEverything())
    figures[.documentsBad] = 0
  }

  private func add(
    _ summary: ProxyProcess.Summary, to figures: inout RunFigures
  ) throws(LabError) {
    guard summary.exitCode == 0 else {
      throw LabError("the proxy says: \(summary.result), \(summary.reason ?? "without a reason")")
    }
    if kind == .leafcutter, let reason = summary.uneditedReason {
      throw LabError("the proxy dropped nothing: \(reason)")
    }
    figures[.pagesSent] = Double(summary.pagesNormal - summary.pagesDropped)
    figures[.pagesDropped] = Double(summary.pagesDropped)
    figures[.prepare] = summary.guest?.prepareSeconds
    figures[.leavesManifest] = (summary.guest?.leavesInManifest).map { Double($0) }
    figures[.proxyResident] = Double(summary.proxy.peakResidentBytes)
    figures[.proxyUser] = summary.proxy.userSeconds
    figures[.proxySystem] = summary.proxy.systemSeconds
    figures[.proxyParsing] = summary.proxy.parsingSeconds
    figures.steps = summary.guest?.steps.map { .init(name: $0.name, seconds: $0.seconds) } ?? []
    for note in summary.guest?.notes ?? [] { say("the guest notes: \(note)") }
  }

  private func add(_ timeline: Timeline, to figures: inout RunFigures) {
    figures[.downtimeClient] = timeline.downtimeMilliseconds
    figures[.heartbeatGapBefore] = timeline.longestGapBefore
    figures[.operationsBefore] = timeline.operationsBefore
    figures[.operationsDuring] = timeline.operationsDuring
    figures[.operationsAfter] = timeline.operationsAfter
    figures[.operationErrors] = Double(timeline.errors)
    figures[.secondsTo90] = timeline.secondsTo90
  }

  private func show(_ status: MigrationStatus) {
    guard let ram = status.ram else { return }
    setup.showProgress(
      "[\(kind.rawValue)]   round \(ram.dirtySyncCount), \(ram.transferred / 1_000_000) MB through QEMU, "
        + "\(ram.remaining / 1_000_000) MB left in this round")
  }

  private func megabytes(_ text: String?) -> String {
    text.flatMap { Double($0) }.map { ($0 / 1e6).text(digits: 0) } ?? "?"
  }

  private func say(_ text: String) { setup.say("[\(kind.rawValue)] \(text)") }
}
