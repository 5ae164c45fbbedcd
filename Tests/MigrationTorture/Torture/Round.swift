import Lab
import StreamProxy

/// One migration with one fault, from a guest that serves to one that has been found well.
struct Round {
  let plan: RoundPlan
  let bench: Bench
  let expectedSeconds: Double

  /// What a round came to.
  struct Result {
    /// The guest for the next round; nil where a new one has to be booted.
    var guest: Guest?
    var incidents: [Incident] = []
    var place: Whereabouts?
    var struckDuring = false
    var wasInPostcopy = false
    var pagesDropped = 0
    /// Of a migration that completed without being disturbed.
    var undisturbedSeconds: Double?
    var note = ""
  }

  /// Files of machines that are gone.
  private var name: String { "round\(plan.number)" }

  /// - Returns: what it came to; a round that could not be carried out is a hang.
  func execute(_ source: Guest) -> Result {
    do throws(LabError) {
      return try attempt(source)
    } catch {
      source.machine.kill()
      let sentence = "the round could not be carried out: \(error.adding(source.machine.logs))"
      return Result(incidents: [.hang(sentence)])
    }
  }

  private func attempt(_ source: Guest) throws(LabError) -> Result {
    let before = try prepare(source)
    let destination = try bench.boot(name, waits: true)
    var isKept = false
    defer { if !isKept { destination.machine.kill() } }
    let address = bench.incomingAddress(of: name)
    try setPostcopy(source, destination)
    try Migration.listen(destination.machine, at: address)
    let relay = plan.fault.needsRelay ? try HookRelay(source.machine) : nil
    let proxy = plan.isPlain ? nil : try startProxy(source, to: address, hook: relay?.path)
    defer { proxy?.kill() }
    var strike = Strike(
      plan, source: source, destination: destination, proxy: proxy, relay: relay,
      expectedSeconds: expectedSeconds)
    var result = Result()
    do throws(Incident) {
      let seconds = try migrate(source, uri: proxy?.address ?? address, &strike)
      result.struckDuring = strike.wasDuring
      result.wasInPostcopy = strike.isInPostcopy
      strike.undo()
      let summary = try finish(proxy)
      result.pagesDropped = summary?.pagesDropped ?? 0
      let place = try Whereabouts.find(source: source, destination: destination, plan: plan)
      result.place = place
      result.note = note(place, summary)
      judgeNeed(place, summary, seconds, &result)
      isKept = place == .destination
      guard let guest = settle(place, source, destination) else { return result }
      let check = HealthCheck(
        guest: guest, plan: plan, before: before.identity,
        corruptedBefore: before.corrupted)
      let (found, wasHit) = try check.run()
      result.incidents += found
      if plan.fault.restartsStore, !wasHit { result.note += ", not hit" }
      result.guest = guest
    } catch {
      result.incidents.append(error)
      source.machine.kill()
      isKept = false
    }
    return result
  }

  /// The workload runs, and it is noted what has been seen so far.
  private func prepare(
    _ source: Guest
  ) throws(LabError) -> (identity: Guest.Identity, corrupted: Int) {
    let memory = try source.ask("memory")
    if plan.fault == .diskFull {
      // Without writes, so that it is the manifest that lacks the room and not the database.
      try source.store.ask("fault fill-disk")
      HostClock.sleep(0.5)
    } else {
      try source.store.ask(
        "run mix=B rate=\(Bench.operationsPerSecond) threads=2 seed=\(plan.number)")
    }
    return (try source.identity(), try memory["corrupted"])
  }

  /// A machine that has arrived in post-copy has the capability on when its turn comes to be the source.
  private func setPostcopy(_ source: Guest, _ destination: Guest) throws(LabError) {
    for machine in [source.machine, destination.machine] {
      do {
        try machine.qmp.setMigrateCapabilities(["postcopy-ram": plan.postcopyBytesLeft != nil])
      } catch {
        throw machine.error("cannot set postcopy-ram: \(error)")
      }
    }
  }

  private func startProxy(
    _ source: Guest, to address: String, hook: String?
  ) throws(LabError) -> ProxyProcess {
    try ProxyProcess(
      program: bench.proxyProgram, source: source.machine, destination: address, edits: true,
      host: nil, listen: "unix:\(bench.files.sockets)/\(name)-proxy", hook: hook,
      files: bench.files)
  }

  /// Orders the migration and follows it to its end.
  ///
  /// - Returns: how long it took.
  private func migrate(
    _ source: Guest, uri: String, _ strike: inout Strike
  ) throws(Incident) -> Double {
    do {
      let began = HostClock.now
      try Migration.begin(from: source.machine, uri: uri, maximumBandwidth: Bench.bandwidth)
      var ended: UInt64?
      while true {
        let status = try? source.machine.qmp.queryMigrate()
        let now = HostClock.now
        let isOver = status?.isOver ?? (source.machine.ending != nil)
        if isOver, ended == nil { ended = now }
        let elapsed = HostClock.seconds(from: began, to: now)
        try strike.consider(
          elapsed: elapsed, bytesLeft: isOver ? nil : status?.ram?.remaining, isOver: isOver)
        if let ended, !strike.isPending { return HostClock.seconds(from: began, to: ended) }
        let patience = HostClock.seconds(from: strike.struckAt ?? began, to: now)
        guard patience < Bench.patience + (plan.fault == .stallLink ? plan.stall : 0) else {
          throw Incident.hang("the migration is \(status?.status ?? "unknown") and does not end")
        }
        HostClock.sleep(0.01)
      }
    } catch let incident as Incident {
      throw incident
    } catch {
      throw .hang("\(error)")
    }
  }

  private func finish(_ proxy: ProxyProcess?) throws(Incident) -> ProxyProcess.Summary? {
    guard let proxy, !(plan.fault == .killProxy) else { return nil }
    do {
      return try proxy.finish(timeout: Bench.patience)
    } catch {
      throw .hang(error.sentence)
    }
  }

  private func judgeNeed(
    _ place: Whereabouts, _ summary: ProxyProcess.Summary?, _ seconds: Double,
    _ result: inout Result
  ) {
    guard plan.fault == .none else { return }
    guard place == .destination else {
      result.incidents.append(.needlessFailure(summary?.reason ?? "QEMU did not complete"))
      return
    }
    result.undisturbedSeconds = seconds
    guard let summary, summary.pagesDropped == 0 else { return }
    result.incidents.append(
      .needlessFailure("nothing was dropped: \(summary.uneditedReason ?? "no reason is given")"))
  }

  /// Ends the machine that the guest has left.
  private func settle(_ place: Whereabouts, _ source: Guest, _ destination: Guest) -> Guest? {
    switch place {
    case .source:
      destination.machine.kill()
      return source
    case .destination:
      source.machine.kill()
      return destination
    case .killed:
      source.machine.kill()
      return nil
    }
  }

  private func note(_ place: Whereabouts, _ summary: ProxyProcess.Summary?) -> String {
    let found =
      switch place {
      case .source: "at the source"
      case .destination: "at the destination"
      case .killed: "killed at the destination"
      }
    guard let summary else { return found }
    let reason = summary.reason ?? summary.uneditedReason
    let leaves = summary.guest.map { ", \($0.leavesInManifest) leaves in the manifest" } ?? ""
    return
      "\(found), \(summary.pagesDropped) pages dropped\(leaves), \(summary.result)"
      + (reason.map { " (\($0))" } ?? "")
  }
}
