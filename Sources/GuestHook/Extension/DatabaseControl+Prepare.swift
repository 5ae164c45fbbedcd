import Glibc
import HookLink
import LeafManifest

/// PREPARE: what was in the cache is written down, evicted and held.
extension DatabaseControl {
  private static let checkpointLimit: Int32 = 20_000
  /// Bytes for inner pages, metadata, the log's next file and the manifest.
  private static let roomBesideDirtyPages: UInt64 = 16 << 20
  private static let pieceBytes = 32 << 20
  /// Holes in what is held may be filled with so small a part of the memory that is to spare.
  private static let spareMemoryPerFilling: UInt64 = 4

  func prepare(
    _ request: LocalMessage.PrepareDatabase, for identity: MigrationID
  ) throws(StepFailure) {
    let mark = link?.takeDescriptor()
    defer { if let mark { close(mark) } }
    guard shrunk == nil, !isHolding else {
      throw StepFailure("prepare", "the database is prepared already; it must be resumed first")
    }
    var watch = Stopwatch()
    var notes: [String] = []
    let usage = try cacheUsage()
    let threads = Int(min(max(request.threads, 1), 16))
    let found = try findResident(threads: threads, &watch, &notes)
    let manifest = writeManifest(found)
    let catches = openWindow(mark: mark, &notes)
    do throws(StepFailure) {
      if let found { evictByKey(found, threads: threads, &watch) }
      try shrink(to: request.cacheBytes, from: usage.limit, &notes)
      evict(found, keeping: usage, &watch)
      let final =
        catches
        ? Crew("leafcutter-hold", count: 1) { [hold, stop = agent.stop] _ in
          hold?.purgeCompletely(unless: stop)
        } : nil
      let left = found.flatMap { countLeft($0.resident, threads: threads) }
      final?.join()
      watch.lap("purge and probe again")
      let held = catches ? pin(&watch, &notes) : nil
      manifest?.crew.join()
      watch.lap("wait for manifest")
      if let reason = manifest?.outcome.use({ $0 }) { throw StepFailure("manifest", reason) }
      guard let link, !link.isLost, !agent.stop.isRaised else {
        throw StepFailure("prepare", "it was interrupted")
      }
      if let held {
        isHolding = true
        link.send(held, for: identity)
      }
      let resident = found?.residentCount ?? 0
      link.send(
        LocalMessage.Prepared(
          leavesListed: UInt64(found?.listed ?? 0), leavesInManifest: UInt64(resident),
          leavesEvicted: UInt64(resident - (left ?? resident)), steps: watch.steps, notes: notes),
        for: identity)
    } catch {
      manifest?.crew.join()
      // Nothing has been reported, so nobody relies on the frames.
      if catches { hold?.release() }
      restoreCache()
      throw error
    }
  }

  /// SAVE: the same list, and nothing is evicted.
  func save() throws(StepFailure) -> LocalMessage.Prepared {
    guard hold != nil else {
      throw StepFailure("save", "libleafcutter_hold.so is not preloaded, so no leaves are listed")
    }
    guard shrunk == nil else {
      throw StepFailure("save", "the cache has been evicted for a migration; save when it is over")
    }
    var watch = Stopwatch()
    var notes: [String] = []
    let found = try findResident(threads: 2, &watch, &notes)
    let manifest = writeManifest(found)
    manifest?.crew.join()
    watch.lap("manifest")
    if let reason = manifest?.outcome.use({ $0 }) { throw StepFailure("manifest", reason) }
    return LocalMessage.Prepared(
      leavesListed: UInt64(found?.listed ?? 0), leavesInManifest: UInt64(found?.residentCount ?? 0),
      leavesEvicted: 0, steps: watch.steps, notes: notes)
  }

  /// What is in the cache.
  struct Found: Sendable {
    /// Leaves of the database.
    var listed: Int
    /// Those in the cache, each table's in file-offset order.
    var resident: [LeafManifest.Table]
    /// Whether these are all that the cache has of tables.
    var isComplete: Bool
    var residentCount: Int { resident.reduce(0) { $0 + $1.leaves.count } }
  }

  /// Checkpoint, list and probe. nil where leaves cannot be probed.
  private func findResident(
    threads: Int, _ watch: inout Stopwatch, _ notes: inout [String]
  ) throws(StepFailure) -> Found? {
    try checkpoint()
    watch.lap("checkpoint")
    guard let hold else { return nil }
    var listing = try list(threads: threads, &notes)
    // The program may have taken a checkpoint of its own meanwhile, and blocks of ours be reused.
    if listing.stale > 0 { listing = try list(threads: threads, &notes) }
    let leftOut = listing.stale + listing.unsupported
    if leftOut > 0 { notes.append("\(leftOut) leaves or subtrees could not be listed") }
    watch.lap("list")
    let residency = Residency(
      of: listing.tables, engine: engine, hold: hold, threads: threads, stop: agent.stop)
    watch.lap("probe")
    return Found(
      listed: listing.count, resident: residency.leaves(of: listing.tables, inCache: true),
      isComplete: leftOut == 0 && listing.tablesLeftOut == 0)
  }

  /// In a thread of its own, because nobody can stop one; it is waited for within bounds.
  private func checkpoint() throws(StepFailure) {
    if let unfinishedCheckpoint, !unfinishedCheckpoint.join(milliseconds: 0) {
      throw StepFailure("checkpoint", "an earlier checkpoint is still being written; try later")
    }
    try expectRoom()
    let outcome = Locked<EngineError?>(nil)
    let crew = Crew("leafcutter-ckpt", count: 1) { [engine] _ in
      do throws(EngineError) { try engine.openSession("").checkpoint() } catch {
        outcome.use { $0 = error }
      }
    }
    unfinishedCheckpoint = crew
    guard crew.join(milliseconds: DatabaseControl.checkpointLimit) else {
      throw StepFailure(
        "checkpoint",
        "it was not done after \(DatabaseControl.checkpointLimit / 1000) s; try when fewer pages are dirty"
      )
    }
    unfinishedCheckpoint = nil
    if let error = outcome.use({ $0 }) { throw StepFailure("checkpoint", error) }
  }

  /// A checkpoint that finds the disk full can end the database (WT_PANIC), which would not have taken
  /// one now.
  private func expectRoom() throws(StepFailure) {
    let needed = try cacheUsage().dirty + DatabaseControl.roomBesideDirtyPages
    var about = statvfs()
    // The path and the structure are alive during the call.
    guard unsafe statvfs(agent.home, &about) == 0 else { return }
    let free = UInt64(about.f_bavail) * UInt64(about.f_frsize)
    guard free < needed else { return }
    throw StepFailure(
      "checkpoint",
      """
      none was taken: the database's file system has \(free >> 20) MiB free and a checkpoint may need \
      \(needed >> 20) MiB; make room and migrate again
      """)
  }

  private func list(threads: Int, _ notes: inout [String]) throws(StepFailure) -> LeafListing {
    do throws(EngineError) {
      let catalog = try TableCatalog(engine.openSession(""))
      if catalog.leftOut > 0 {
        notes.append("\(catalog.leftOut) tables are not listed: \(catalog.leftOutReason)")
      }
      return LeafListing(home: agent.home, catalog: catalog, threads: threads)
    } catch {
      throw StepFailure("list", error)
    }
  }

  /// Writes while eviction goes on; the outcome is the reason why it failed, or nil.
  private func writeManifest(_ found: Found?) -> (crew: Crew, outcome: Locked<String?>)? {
    guard let found else { return nil }
    let outcome = Locked<String?>(nil)
    let crew = Crew("leafcutter-save", count: 1) { [home = agent.home] _ in
      do throws(ManifestError) {
        let identity = try DatabaseIdentity.read(fromHome: home)
        try LeafManifest(database: identity, tables: found.resident).write(toHome: home)
      } catch {
        outcome.use { $0 = error.description }
      }
    }
    return (crew, outcome)
  }

  private func openWindow(mark: Int32?, _ notes: inout [String]) -> Bool {
    guard let hold else { return false }
    if let obstacle = hold.obstacle {
      notes.append(obstacle)
      return false
    }
    guard let mark else {
      notes.append("the guardian sent no mark page, so no frames are held")
      return false
    }
    var usage = rusage()
    // A structure of our own, alive during the call. ru_maxrss is in KiB.
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    // Address space, not memory: pieces of 2 MiB and more are aligned like their sources.
    let capacity = usage.ru_maxrss * 1024 * 3 + 256 << 20
    do throws(EngineError) {
      try hold.setMark(mark)
      try hold.open(
        capacity: capacity, filling: SpareMemory.now() / DatabaseControl.spareMemoryPerFilling)
      return true
    } catch {
      notes.append("no frames are held: \(error)")
      return false
    }
  }

  private func pin(
    _ watch: inout Stopwatch, _ notes: inout [String]
  ) -> LocalMessage.HeldMemory? {
    guard let hold else { return nil }
    hold.close()
    do throws(EngineError) {
      try hold.pin(pieceBytes: DatabaseControl.pieceBytes)
    } catch {
      notes.append("no frames are held: \(error); raise the database's RLIMIT_MEMLOCK")
      hold.release()
      watch.lap("pin")
      return nil
    }
    let statistics = hold.statistics
    if statistics.failures > 0 {
      let reason =
        statistics.last_errno == ENOSYS
        ? "short ones take UFFDIO_MOVE, of Linux 6.8" : "errno \(statistics.last_errno)"
      notes.append(
        """
        \(statistics.failures) ranges could not be held (\(reason)) and went back to the kernel
        """)
    }
    watch.lap("pin")
    watch.note("move (beside evict and purge)", nanoseconds: statistics.move_ns)
    guard let held = hold.held() else {
      hold.release()
      return nil
    }
    return held
  }
}
