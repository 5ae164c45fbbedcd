import Glibc
import HookLink
import LeafManifest

/// The cache's leaves leave it: by their keys where the engine can do that, and by a cache that is made
/// small, which also takes what has no key here and keeps readers from filling it again.
extension DatabaseControl {
  /// Eviction that has not moved for so many looks has come to what it cannot evict. Where its threads get
  /// little processor time, this one gets little too, and so it waits for longer.
  private static let evictionPatience = 20
  /// Likewise of what is dirty, of which writers make more all the time.
  private static let writingPatience = 10
  private static let sampleSize = 64
  /// Milliseconds between two looks at the sample, which cost the engine as much as any search.
  private static let pollInterval: Int32 = 20
  /// A dirty leaf is written by the first visit and evicted by the second; the rest is in use.
  private static let passes = 3

  /// Evicts leaf by leaf, so that the small cache afterwards finds nothing to do: the program's threads
  /// are made to help where a cache is too full, and wait for it.
  func evictByKey(
    _ found: Found, threads: Int, catching window: HoldWindow?, _ pace: inout PurgePace,
    _ watch: inout Stopwatch
  ) {
    guard let hold, engine.evictsByKey else { return }
    let stop = Signal()
    for _ in 0..<DatabaseControl.passes where !stop.isRaised {
      let eviction = LeafEviction(
        of: found.leaving, home: agent.home, engine: engine, hold: hold, threads: threads,
        stop: stop)
      while !eviction.join(milliseconds: DatabaseControl.pollInterval) {
        if isGivenUp { stop.raise() }
        // What is freed is caught while the rest is evicted.
        giveBackFree(window, &pace)
      }
      if eviction.met <= found.leavingCount / 100 || isGivenUp { break }
    }
    watch.lap("evict by key")
  }

  /// Waits until the cache has shrunk, and makes it smaller as long as that is possible. The pages that a cache
  /// of that size keeps are allowed to stay.
  func evict(
    _ found: Found?, from usage: CacheUsage, to budget: CacheBudget,
    catching window: HoldWindow?, _ pace: PurgePace, _ watch: inout Stopwatch,
    _ notes: inout [String]
  ) {
    // Where leaves are not listed, only bytes tell how far their eviction has come.
    let listed = found.flatMap { $0.isComplete ? $0 : nil }
    let sample = listed.flatMap { found in
      hold.flatMap {
        try? ResidencySample(
          of: found.resident, size: DatabaseControl.sampleSize, home: agent.home, engine: engine,
          hold: $0)
      }
    }
    var looks = Looks(
      end: monotonicNanoseconds() + longestStep, window: window, pace: pace)
    repeat {
      // The engine may have taken a larger size only.
      let size = smallCache?.size ?? usage.limit
      let spare = budget.size - budget.content
      let content = max(budget.content, size > spare ? size - spare : 0)
      let enoughLeaves =
        sample.map { Double($0.count) * Double(content) / Double(max(usage.used, 1)) }
      var last = UInt64.max
      wait(&looks) {
        let used = (try? cacheUsage())?.used
        guard let now = sample.map({ UInt64($0.resident()) }) ?? used else { return nil }
        defer { last = now }
        // Clients may read the sample back; then bytes say it.
        let isSmall =
          used.map { $0 <= content } == true || enoughLeaves.map { now <= UInt64($0) } == true
        // An engine goes on below its limit until it is at its target.
        return (used ?? now, isSmall && now >= last)
      }
      wait(&looks, patience: DatabaseControl.writingPatience) {
        guard let smallCache, let usage = try? cacheUsage() else { return nil }
        return (usage.dirty, smallCache.hasWritten(usage, for: budget.size))
      }
      // One that the program takes; nobody could call this thread back from it.
      while engine.isTakingCheckpoint() == true, !isGivenUp, !looks.areOver { pause(&looks) }
    } while !isGivenUp && !looks.areOver && smallCache?.tighten(to: budget.size) == true
    if let note = smallCache?.noteOfRaise { notes.append(note) }
    watch.lap("evict")
  }

  /// What waiting for the cache has come to.
  private struct Looks {
    /// When there is no more time, on the monotonic clock.
    let end: UInt64
    /// Catches what the allocator gives back meanwhile.
    let window: HoldWindow?
    var pace: PurgePace
    var areOver: Bool { monotonicNanoseconds() > end }
  }

  /// Looks again and again, until there is no more than enough, or what there is does not get less.
  private func wait(
    _ looks: inout Looks, patience: Int = DatabaseControl.evictionPatience,
    forLess look: () -> (now: UInt64, isEnough: Bool)?
  ) {
    var shrinkage = Shrinkage()
    while let (amount, isEnough) = look(), !isEnough, !isGivenUp {
      shrinkage.look(at: amount)
      if shrinkage.looksSinceLeast > patience || looks.areOver { break }
      pause(&looks)
    }
  }

  private func pause(_ looks: inout Looks) {
    giveBackFree(looks.window, &looks.pace)
    agent.stop.wait(milliseconds: DatabaseControl.pollInterval)
  }

  /// Has the allocator give back what it keeps, to the window or else to the kernel, where its turn has come.
  private func giveBackFree(_ window: HoldWindow?, _ pace: inout PurgePace) {
    var begin = monotonicNanoseconds()
    guard pace.isDue(at: begin) else { return }
    if let window {
      window.purge()
      // Its time is that of moving frames, which has to be done sooner or later, and sooner is beside the eviction.
      begin = monotonicNanoseconds()
    } else {
      hold?.purge()
    }
    pace.purged(from: begin, until: monotonicNanoseconds())
  }

  /// Has the allocator give back all that it keeps, until it does.
  ///
  /// - Returns: how many of the leaves have, or may have, stayed; nil where that is not known.
  func purge(
    _ found: Found?, threads: Int, catching window: HoldWindow?, _ watch: inout Stopwatch
  ) -> Int? {
    let final = window.map { window in
      Crew("leafcutter-hold", count: 1) { [stop = agent.stop] _ in
        window.purgeCompletely(unless: stop)
      }
    }
    let left = found.flatMap { countLeft($0.resident, threads: threads) }
    final?.join()
    watch.lap("purge and probe again")
    return left
  }

  private func countLeft(_ tables: [LeafManifest.Table], threads: Int) -> Int? {
    hold.map {
      let left = Residency(
        of: tables, home: agent.home, engine: engine, hold: $0, threads: threads, stop: agent.stop)
      return left.resident + left.unasked
    }
  }
}
