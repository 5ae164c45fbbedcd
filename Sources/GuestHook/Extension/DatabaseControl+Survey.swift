import CExtensionShims
import Glibc
import HookLink
import LeafManifest

/// What is in the cache, after a checkpoint.
extension DatabaseControl {
  /// Bytes for inner pages, metadata and the log's next file.
  private static let roomBesideDirtyPages: UInt64 = 16 << 20

  /// What is in the cache.
  struct Found: Sendable {
    /// Leaves that were searched for.
    var listed: Int
    /// Those in the cache, each table's in file-offset order.
    var resident: [LeafManifest.Table]
    /// Those of them that are to leave it.
    var leaving: [LeafManifest.Table]
    /// Whether these are all that the cache has of tables.
    var isComplete: Bool
    var leavingCount: Int { leaving.leafCount }
  }

  /// Checkpoint, list and probe. nil where leaves cannot be probed.
  func findResident(
    threads: Int, keepPercent: Int, _ watch: inout Stopwatch, _ notes: inout [String]
  ) throws(StepFailure) -> Found? {
    try checkpoint()
    watch.lap("checkpoint")
    guard let hold else { return nil }
    guard var survey = try survey(hold, threads: threads, &notes) else {
      watch.lap("list and probe")
      return Found(listed: 0, resident: [], leaving: [], isComplete: false)
    }
    // The program may have taken a checkpoint of its own meanwhile, and blocks of ours be reused.
    if survey.stale > 0, let again = try self.survey(hold, threads: threads, &notes) {
      survey = again
    }
    let leftOut = survey.stale + survey.unsupported + survey.unasked
    if leftOut > 0 { notes.append("\(leftOut) leaves or subtrees could not be listed") }
    watch.lap("list and probe")
    let resident = survey.tables.map { $0.inOffsetOrder() }
    return Found(
      listed: survey.asked, resident: resident,
      leaving: keepPercent == 0
        ? resident : survey.tables.map { $0.withoutLast(percent: keepPercent).inOffsetOrder() },
      isComplete: leftOut == 0 && survey.tablesLeftOut == 0)
  }

  /// nil where leaves cannot be asked for.
  private func survey(
    _ hold: HoldLibrary, threads: Int, _ notes: inout [String]
  ) throws(StepFailure) -> LeafSurvey? {
    let catalog: TableCatalog
    do throws(EngineError) {
      catalog = try TableCatalog.current(engine.openSession(""))
    } catch {
      throw StepFailure("list", error)
    }
    if catalog.leftOut > 0 {
      notes.append("\(catalog.leftOut) tables are not listed: \(catalog.leftOutReason)")
    }
    do throws(LeafSurvey.Obstacle) {
      return try LeafSurvey(
        home: agent.home, catalog: catalog, engine: engine, hold: hold, threads: threads,
        stop: agent.stop)
    } catch {
      switch error {
      case .noSession:
        throw StepFailure(
          "probe",
          "the engine has no session to spare; raise its session_max by \(threads + 2) and migrate again"
        )
      case .readsAll:
        notes.append(
          "no leaves are listed, because the engine does not read them by pread(2) (mmap_all?)")
        return nil
      }
    }
  }

  /// In a thread of its own, because nobody can stop one; it is waited for within bounds.
  private func checkpoint() throws(StepFailure) {
    if let unfinishedCheckpoint, !unfinishedCheckpoint.join(milliseconds: 0) {
      throw StepFailure("checkpoint", "an earlier checkpoint is still being written; try later")
    }
    try expectRoom()
    try expectDescriptors()
    try expectAddressSpace()
    let outcome = Locked<EngineError?>(nil)
    let crew = Crew("leafcutter-ckpt", count: 1) { [engine] _ in
      do throws(EngineError) {
        try engine.openSession("", expectingErrors: true).checkpoint()
      } catch {
        outcome.withLock { $0 = error }
      }
    }
    unfinishedCheckpoint = crew
    guard crew.join(milliseconds: Int32(clamping: longestStep / 1_000_000)) else {
      throw StepFailure(
        "checkpoint",
        """
        it was not done after \(longestStep / 1_000_000_000) s (in a migration a third of the proxy's \
        --prepare-timeout); try when fewer pages are dirty, or give that more
        """)
    }
    unfinishedCheckpoint = nil
    if let error = outcome.withLock({ $0 }) { throw StepFailure("checkpoint", error) }
  }

  /// A checkpoint that finds the disk full can end the database (WT_PANIC), which would not have taken
  /// one now.
  private func expectRoom() throws(StepFailure) {
    let needed = try cacheUsage().dirty + DatabaseControl.roomBesideDirtyPages
    guard let free = freeBytes(onFileSystemOf: agent.home), free < needed else { return }
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

  /// Of a cache's bytes the lists of its leaves are a small part, several times over while they grow and are
  /// sorted. A database that is refused memory for them ends, as it would for its own next pages.
  private func expectAddressSpace() throws(StepFailure) {
    let needed = threadMemory + Int(clamping: try cacheUsage().used / 32)
    guard !leafcutter_has_room_for_thread(needed) else { return }
    throw StepFailure(
      "checkpoint",
      """
      none was taken: the database is not granted \(needed >> 20) MiB and a thread's stack of further address \
      space; raise its RLIMIT_AS, or see vm.overcommit_memory, and migrate again
      """)
  }
}

extension [LeafManifest.Table] {
  var leafCount: Int { reduce(0) { $0 + $1.leaves.count } }
}

extension LeafManifest.Table {
  fileprivate func inOffsetOrder() -> LeafManifest.Table {
    LeafManifest.Table(uri: uri, creation: creation, leaves: leaves.inOffsetOrder { _ in true })
  }

  /// Without the leaves that a migration leaves in the cache, of those in key order.
  ///
  /// No engine says through its methods which leaves were used last, and a probe uses them all. Keys that
  /// grow with time (record numbers, object identifiers) are the common case in document databases, and
  /// what came last is what is asked for most; where keys are spread like hashes, the choice is as good
  /// as any.
  fileprivate func withoutLast(percent: Int) -> LeafManifest.Table {
    let leaving = leaves.count - leaves.count * percent / 100
    return LeafManifest.Table(
      uri: uri, creation: creation, leaves: leaves.first(leaving))
  }
}
