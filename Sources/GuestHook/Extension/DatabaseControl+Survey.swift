import CExtensionShims
import Glibc
import HookLink
import LeafManifest

/// What is in the cache, after a checkpoint.
extension DatabaseControl {
  private static let checkpointLimit: Int32 = 20_000
  /// Bytes for inner pages, metadata, the log's next file and the manifest.
  private static let roomBesideDirtyPages: UInt64 = 16 << 20

  /// What is in the cache.
  struct Found: Sendable {
    /// Leaves of the database.
    var listed: Int
    /// Those in the cache, each table's in file-offset order.
    var resident: [LeafManifest.Table]
    /// Those of them that are to leave it.
    var leaving: [LeafManifest.Table]
    /// Whether these are all that the cache has of tables.
    var isComplete: Bool
    var residentCount: Int { resident.reduce(0) { $0 + $1.leaves.count } }
    var leavingCount: Int { leaving.reduce(0) { $0 + $1.leaves.count } }
  }

  /// Checkpoint, list and probe. nil where leaves cannot be probed.
  func findResident(
    threads: Int, keepPercent: Int, _ watch: inout Stopwatch, _ notes: inout [String]
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
    let resident = residency.leaves(of: listing.tables, inCache: true)
    let leaving =
      keepPercent == 0
      ? resident
      : residency.without(lastPercent: keepPercent).leaves(of: listing.tables, inCache: true)
    return Found(
      listed: listing.count, resident: resident, leaving: leaving,
      isComplete: leftOut == 0 && listing.tablesLeftOut == 0)
  }

  /// In a thread of its own, because nobody can stop one; it is waited for within bounds.
  private func checkpoint() throws(StepFailure) {
    if let unfinishedCheckpoint, !unfinishedCheckpoint.join(milliseconds: 0) {
      throw StepFailure("checkpoint", "an earlier checkpoint is still being written; try later")
    }
    try expectRoom()
    try expectDescriptors()
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

  /// For the checkpoint, the manifest, the listing's and the hold's files, and the engine's own.
  private static let descriptorsNeeded = 32

  /// An engine that gets no descriptor for a checkpoint's or its log's file can end the database (WT_PANIC).
  /// They are counted and not tried out, which would take the last ones away.
  private func expectDescriptors() throws(StepFailure) {
    var limit = rlimit()
    // A structure of our own, alive during the call.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    let taken = leafcutter_count_descriptors()
    let spare = taken < 0 ? 0 : Int(clamping: limit.rlim_cur) - Int(taken)
    guard spare < DatabaseControl.descriptorsNeeded else { return }
    throw StepFailure(
      "checkpoint",
      """
      none was taken: the database has only \(max(spare, 0)) descriptors to spare; raise its limit \
      (LimitNOFILE) and migrate again
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
}
