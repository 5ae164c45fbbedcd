import Glibc
import HookLink
import LeafManifest

/// PREPARE: what was in the cache is written down, evicted and held.
extension DatabaseControl {
  private static let pieceBytes = 32 << 20
  /// io_uring's limit for one buffer.
  private static let largestPiece = 1 << 30
  private static let fewPieces = 2048
  private static let addressSpace =
    "the process is granted no more address space (vm.overcommit_memory=2, or RLIMIT_AS)"

  func prepare(
    _ request: LocalMessage.PrepareDatabase, for identity: MigrationID
  ) throws(StepFailure) {
    let mark = link?.takeDescriptor()
    defer { if let mark { close(mark) } }
    guard !isPrepared, !isHolding else {
      throw StepFailure("prepare", "the database is prepared already; it must be resumed first")
    }
    try expectFiles()
    patience = UInt64(request.timeoutMilliseconds) * 1_000_000
    defer { patience = DatabaseControl.usualPatience }
    var watch = Stopwatch()
    var notes: [String] = []
    let usage = try cacheUsage()
    let budget = CacheBudget(request, of: usage)
    let threads = Int(
      min(max(request.threads, 1), LocalMessage.PrepareDatabase.maximumThreads))
    let found = try findResident(
      threads: threads, keepPercent: Int(request.keepPercent), &watch, &notes)
    let warm: [LeafManifest.Table]? =
      if let found {
        try withOwed(found.resident, &notes, for: "prepare", unless: { isGivenUp })
      } else { nil }
    let manifest = warm.map { ManifestWriting($0, home: agent.home) }
    let window = openWindow(mark: mark, for: usage, &notes)
    // Once it has been let go it may be another database's of this process.
    var ownsHold = window != nil
    do throws(StepFailure) {
      isPrepared = true
      var pace = PurgePace(now: monotonicNanoseconds())
      if let found { evictByKey(found, threads: threads, catching: window, &pace, &watch) }
      // Nobody waits for the rest of a migration that is over, and what has left is read back at RESUME.
      if !isGivenUp {
        try shrink(to: budget, &notes)
        evict(found, from: usage, to: budget, catching: window, pace, &watch, &notes)
      }
      let left = isGivenUp ? nil : purge(found, threads: threads, catching: window, &watch)
      if window?.hasClosedEarly == true {
        notes.append("memory became short meanwhile, so what was freed last is not held")
      } else if window != nil, let note = strangeAllocator(since: usage) {
        notes.append(note)
      }
      var held: LocalMessage.HeldMemory?
      if ownsHold {
        if isGivenUp { hold?.release() } else { held = pin(&watch, &notes) }
        ownsHold = held != nil
      }
      owed = finish(manifest, of: warm, &notes)
      watch.lap("wait for manifest")
      guard let link, !link.isLost, !agent.stop.isRaised else {
        throw StepFailure("prepare", "it was interrupted")
      }
      if let held {
        isHolding = true
        link.send(held, for: identity)
      }
      let leaves = warm?.leafCount ?? 0
      link.send(
        LocalMessage.Prepared(
          leavesListed: UInt64(found?.listed ?? 0), leavesInManifest: UInt64(leaves),
          leavesEvicted: UInt64(leaves - (left ?? leaves)), steps: watch.steps, notes: notes),
        for: identity)
    } catch {
      owed = finish(manifest, of: warm, &notes)
      // Nothing has been reported, so nobody relies on the frames.
      if ownsHold { hold?.release() }
      notes = []
      restoreCache(&notes)
      isPrepared = false
      throw notes.isEmpty
        ? error : StepFailure(error.step, ([error.reason] + notes).joined(separator: "; "))
    }
  }

  /// Waits for the manifest. Where it could not be written, its leaves are remembered: the memory travels too.
  private func finish(
    _ manifest: ManifestWriting?, of tables: [LeafManifest.Table]?, _ notes: inout [String]
  ) -> OwedLeaves? {
    guard let manifest, let tables else { return nil }
    guard let reason = manifest.failure() else { return .inManifest }
    notes.append(
      "there is no new manifest (\(reason)): the database remembers its leaves, as long as it runs")
    return .listed(tables)
  }

  /// SAVE: the same list, and nothing is evicted.
  func save() throws(StepFailure) -> LocalMessage.Prepared {
    if let absence = agent.holdAbsence {
      throw StepFailure("save", "no leaves are listed, because \(absence.reason)")
    }
    guard !isPrepared else {
      throw StepFailure("save", "the cache has been evicted for a migration; save when it is over")
    }
    var watch = Stopwatch()
    var notes: [String] = []
    let found = try findResident(threads: 2, keepPercent: 0, &watch, &notes)
    let warm =
      if let found {
        try withOwed(found.resident, &notes, for: "save", unless: { agent.stop.isRaised })
      } else { [LeafManifest.Table]() }
    if found != nil, let reason = ManifestWriting(warm, home: agent.home).failure() {
      throw StepFailure("manifest", reason)
    }
    watch.lap("manifest")
    return LocalMessage.Prepared(
      leavesListed: UInt64(found?.listed ?? 0), leavesInManifest: UInt64(warm.leafCount),
      leavesEvicted: 0, steps: watch.steps, notes: notes)
  }

  /// nil where no frames can be held.
  private func openWindow(
    mark: Int32?, for usage: CacheUsage, _ notes: inout [String]
  ) -> HoldWindow? {
    guard let hold else { return nil }
    if agent.obstacle != nil {
      agent.askKernel()
      if agent.obstacle == nil { link?.send(agent.registration, for: .none) }
    }
    if let obstacle = agent.obstacle {
      notes.append(obstacle)
      return nil
    }
    guard let mark else {
      notes.append("the guardian sent no mark page, so no frames are held")
      return nil
    }
    let spare = SpareMemory.now()
    do throws(EngineError) {
      // First, because it fails where another database of this process holds: the mark page is its own.
      let tight = try hold.open(expecting: usage.used, spare: spare)
      if let tight {
        notes.append("no more than \(tight >> 20) MiB can be held: \(DatabaseControl.addressSpace)")
      }
    } catch {
      let reason =
        switch error.code {
        case ENOMEM: "\(error); \(DatabaseControl.addressSpace)"
        case EBUSY: "another database of this process holds"
        default: "\(error)"
        }
      notes.append("no frames are held: \(reason)")
      return nil
    }
    do throws(EngineError) {
      try hold.setMark(mark)
      return HoldWindow(hold, spare: spare)
    } catch {
      hold.release()
      notes.append("no frames are held: \(error)")
      return nil
    }
  }

  /// - Returns: nil where nothing could be pinned; then the hold has been let go.
  private func pin(
    _ watch: inout Stopwatch, _ notes: inout [String]
  ) -> LocalMessage.HeldMemory? {
    guard let hold else { return nil }
    hold.close()
    do throws(EngineError) {
      // Larger pieces where there is much, because their number is limited.
      let moved = Int(clamping: hold.statistics.moved_bytes)
      try hold.pin(
        pieceBytes: min(
          max(DatabaseControl.pieceBytes, moved / DatabaseControl.fewPieces),
          DatabaseControl.largestPiece),
        longest: longestStep)
    } catch {
      // What is pinned is held; the library has given the rest back.
      let pinned = hold.statistics.pinned_bytes >> 20
      let remedy =
        switch error.code {
        case ENOMEM: "; raise the database's RLIMIT_MEMLOCK"
        case ETIME:
          "; with huge pages pinning takes the longer the more is pinned: start the database without them"
        case ENOSPC: "; what the allocator gives back lies in too many pieces"
        default: ""
        }
      notes.append("no more than \(pinned) MiB are held: \(error)\(remedy)")
    }
    let statistics = hold.statistics
    if statistics.failures > 0 {
      let reason =
        switch statistics.last_errno {
        case ENOSYS: "short ones take UFFDIO_MOVE: Linux 6.8, and userfaultfd allowed"
        case ENOMEM: "as much is held as the guest's memory and its address space allow"
        default: unsafe String(cString: strerror(statistics.last_errno))
        }
      notes.append(
        """
        \(statistics.failures) ranges could not be held and went back to the kernel (the last: \(reason))
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
