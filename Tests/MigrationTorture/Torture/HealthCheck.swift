import Lab

/// What has to be true of a guest when a round is over, wherever it is.
struct HealthCheck {
  let guest: Guest
  let plan: RoundPlan
  /// What it was before the migration.
  let before: Guest.Mark
  let passesBefore: Int
  let corruptedBefore: Int
  let struckAt: UInt64?

  /// Seconds for which the keeper and the database's own library hold on when the guardian has been
  /// killed, and a bit.
  private static let keeperPatience = 45.0

  /// Waits until it is well; what is wrong but lets it go on is returned.
  func run() throws(Incident) -> [Incident] {
    var found: [Incident] = []
    do throws(LabError) {
      let arrival = HostClock.now
      _ = try guest.store.waitForBeat(after: arrival, timeout: Bench.patience)
      try guest.waitUntilItServes(timeout: Bench.patience)
    } catch {
      throw .hang(error.sentence)
    }
    try expectSameGuest()
    do throws(LabError) {
      if plan.fault == .diskFull { try guest.store.ask("fault free-disk") }
      try waitUntilTheCacheIsBack()
      let halted = try guest.ask("halt", timeout: 60)
      let verified = try guest.ask("verify", timeout: 300)
      let missing = Bench.documents - verified["documents"]
      let bad = verified["bad"] + abs(missing) + halted["errors"]
      if bad != 0 { found.append(.badDocuments(bad)) }
      let corrupted = try verifyMemory()
      if corrupted > 0 { found.append(.corruptedPages(corrupted)) }
    } catch {
      throw .hang(error.sentence)
    }
    return found
  }

  /// A guest that answers with less uptime than before has crashed, unless it was told to boot.
  private func expectSameGuest() throws(Incident) {
    guard let now = guest.mark else { throw .hang("the store gives no sign of life") }
    if now.uptime < before.uptime, !plan.fault.reboots {
      throw .guestLost("the guest has booted again without being told to")
    }
    if now.uptime > before.uptime, now.sequence < before.sequence, !plan.fault.restartsStore {
      throw .guestLost("the database has ended without being told to")
    }
  }

  /// The guardian restores the cache's size when everything has been let go.
  private func waitUntilTheCacheIsBack() throws(LabError) {
    let size = Bench.cache << 20
    let timeout = Bench.patience + (plan.fault == .killGuardian ? HealthCheck.keeperPatience : 0)
    let isBack: Bool? = HostClock.poll(every: 0.2, for: timeout) {
      (try? guest.ask("info", timeout: 10))?["cache_bytes"] == size ? true : nil
    }
    guard isBack != nil else {
      throw guest.machine.error("the database has not got its cache back within \(Int(timeout)) s")
    }
  }

  /// Waits for one pass over all of the memory from now on: the one that is under way is not enough.
  ///
  /// - Returns: how many pages were corrupted since the last round.
  private func verifyMemory() throws(LabError) -> Int {
    let first = try guest.ask("memory")
    let wanted = first["passes"] + 2
    var last = first
    while last["passes"] < wanted {
      guard HostClock.seconds(from: struckAt ?? HostClock.now, to: HostClock.now) < 300 else {
        throw LabError("the memory is not verified any more")
      }
      HostClock.sleep(0.2)
      last = try guest.ask("memory")
    }
    let isNew = plan.fault.reboots && (guest.mark?.uptime ?? 0) < before.uptime
    return last["corrupted"] - (isNew ? 0 : corruptedBefore)
  }
}
