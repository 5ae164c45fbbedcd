import Lab
import Threads

/// Carries out a round's fault when its moment has come, and what it takes to undo it.
struct Strike {
  let plan: RoundPlan
  let source: Guest
  let destination: Guest
  let proxy: ProxyProcess?
  let relay: HookRelay?
  /// Seconds that a migration has taken lately.
  let expectedSeconds: Double

  /// How long after the fault post-copy is switched to, if it has not been.
  private static let postcopyAfter = 3.0
  private(set) var isInPostcopy = false
  private(set) var struckAt: UInt64?
  /// The migration was on.
  private(set) var wasDuring = false
  private var stoppedUntil: UInt64?

  init(
    _ plan: RoundPlan, source: Guest, destination: Guest, proxy: ProxyProcess?, relay: HookRelay?,
    expectedSeconds: Double
  ) {
    self.plan = plan
    self.source = source
    self.destination = destination
    self.proxy = proxy
    self.relay = relay
    self.expectedSeconds = expectedSeconds
  }

  /// Looks whether it is time; to be called again and again.
  ///
  /// - Parameters:
  ///   - elapsed: seconds since the migration began.
  ///   - bytesLeft: what QEMU has to send still, nil before it knows or when it is over.
  mutating func consider(elapsed: Double, bytesLeft: UInt64?, isOver: Bool) throws(LabError) {
    if let until = stoppedUntil, HostClock.now >= until { undo() }
    if !isOver { considerPostcopy(bytesLeft) }
    guard struckAt == nil, plan.fault != .none else { return }
    let isTime =
      plan.fault.isLate
      ? bytesLeft.map { $0 > 0 && $0 < plan.bytesLeft && elapsed > 0.5 } ?? false
      : elapsed >= plan.moment * expectedSeconds
    guard isTime || isOver else { return }
    struckAt = HostClock.now
    wasDuring = !isOver
    // What there was to disturb is over.
    if isOver, plan.fault.target != .guest { return }
    try strike(isOver: isOver)
  }

  private mutating func considerPostcopy(_ bytesLeft: UInt64?) {
    guard let enough = plan.postcopyBytesLeft, !isInPostcopy else { return }
    let isLate = struckAt.map {
      HostClock.seconds(from: $0, to: HostClock.now) > Strike.postcopyAfter
    }
    guard bytesLeft.map({ $0 > 0 && $0 < enough }) ?? false || isLate ?? false else { return }
    // Refused where the migration is not that far yet, and then asked for again.
    isInPostcopy = (try? source.machine.qmp.execute("migrate-start-postcopy")) != nil
  }

  private mutating func strike(isOver: Bool) throws(LabError) {
    switch plan.fault {
    case .none, .diskFull: break
    case .killProxy: proxy?.kill()
    case .cutLink: relay?.cut()
    case .lyingHook:
      guard let relay else { return }
      // On a thread of its own: whoever does not listen must not stop the clock.
      _ = BlockingThread("liar") { [lie = plan.lie, number = plan.number] in
        var random = Random(seed: UInt64(number))
        lie.tell(relay, &random)
      }
    case .stallLink:
      proxy?.setStopped(true)
      stoppedUntil = HostClock.now + UInt64(plan.stall * 1e9)
    case .killDestination: destination.machine.kill()
    case .cancel: try? source.machine.qmp.execute("migrate_cancel")
    case .resetBeforeStop:
      // Whichever runs; the other one refuses or has nothing to reset.
      let machine = isOver ? destination.machine : source.machine
      try? machine.qmp.execute("system_reset")
    case .killDatabase, .killGuardian, .reboot, .panic, .memoryPressure, .lateRevoke:
      try order(isOver: isOver)
    }
  }

  /// The guest may be on its way: then its port at the source takes the words, and nobody hears them.
  private func order(isOver: Bool) throws(LabError) {
    guard let order = plan.fault.order else { return }
    if !isOver {
      try source.store.tell("fault \(order)")
    } else if (try? destination.store.ask("fault \(order)", timeout: 5)) == nil {
      try source.store.tell("fault \(order)")
    }
  }

  /// What must not last longer than the round.
  mutating func undo() {
    if stoppedUntil != nil { proxy?.setStopped(false) }
    stoppedUntil = nil
  }

  var isPending: Bool { stoppedUntil != nil }
}
