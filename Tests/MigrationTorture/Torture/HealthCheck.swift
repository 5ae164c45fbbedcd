import Lab

/// What has to be true of a guest when a round is over, wherever it is.
struct HealthCheck {
  let guest: Guest
  let plan: RoundPlan
  /// What it was before the migration.
  let before: Guest.Identity
  let corruptedBefore: Int

  /// Seconds for which the keeper and the database's own library hold on when the guardian has been
  /// killed, and a bit.
  private static let keeperPatience = 45.0

  /// Until an ordered fault has struck.
  private static let effectSeconds = 1.5

  /// Waits until it is well.
  ///
  /// - Returns: what is wrong but lets it go on, and whether a fault that ends the store, or all of the
  ///   guest, has done so.
  func run() throws(Incident) -> (found: [Incident], wasHit: Bool) {
    var found: [Incident] = []
    let now: Guest.Identity
    do throws(LabError) {
      // A fault that struck at the end may only be about to take effect, and what is asked before it
      // does is never answered.
      if plan.fault.restartsStore { HostClock.sleep(HealthCheck.effectSeconds) }
      let arrival = HostClock.now
      _ = try guest.store.waitForBeat(after: arrival, timeout: Bench.patience)
      try guest.waitUntilItServes(timeout: Bench.patience)
      now = try guest.identity()
    } catch {
      throw .hang(error.sentence)
    }
    try expectSameGuest(now)
    do throws(LabError) {
      if plan.fault == .diskFull { try guest.store.ask("fault free-disk") }
      try waitUntilTheCacheIsBack()
      let passes = try guest.ask("memory")["passes"]
      let halted = try guest.ask("halt", timeout: 60)
      let verified = try guest.ask("verify", timeout: 300)
      let missing = try Bench.documents - verified["documents"]
      let bad = try verified["bad"] + abs(missing) + halted["errors"]
      if bad != 0 { found.append(.badDocuments(bad)) }
      let corrupted = try verifyMemory(after: passes, isNew: now.boot != before.boot)
      if corrupted > 0 { found.append(.corruptedPages(corrupted)) }
    } catch {
      throw .hang(error.sentence)
    }
    return (found, now != before)
  }

  private func expectSameGuest(_ now: Guest.Identity) throws(Incident) {
    if now.boot != before.boot, !plan.fault.reboots {
      throw .guestLost("the guest has booted again without being told to")
    }
    if now != before, !plan.fault.restartsStore {
      throw .guestLost("the database has ended without being told to")
    }
  }

  /// The guardian restores the cache's size when everything has been let go.
  private func waitUntilTheCacheIsBack() throws(LabError) {
    let size = Bench.cache << 20
    let timeout = Bench.patience + (plan.fault == .killGuardian ? HealthCheck.keeperPatience : 0)
    let isBack: Bool? = HostClock.poll(every: 0.2, for: timeout) {
      (try? guest.ask("info", timeout: 10)["cache_bytes"]) == size ? true : nil
    }
    guard isBack != nil else {
      throw guest.machine.error("the database has not got its cache back within \(Int(timeout)) s")
    }
  }

  /// Waits for a pass over all of the memory that began after the guest was well: the one that was under
  /// way is not enough.
  ///
  /// - Returns: how many pages were corrupted since the last round.
  private func verifyMemory(after passes: Int, isNew: Bool) throws(LabError) -> Int {
    let began = HostClock.now
    var last = try guest.ask("memory")
    while try last["passes"] < passes + 2 {
      guard HostClock.seconds(from: began, to: HostClock.now) < Bench.patience else {
        throw guest.machine.error("the memory is not verified any more")
      }
      HostClock.sleep(0.2)
      last = try guest.ask("memory")
    }
    return try last["corrupted"] - (isNew ? 0 : corruptedBefore)
  }
}
