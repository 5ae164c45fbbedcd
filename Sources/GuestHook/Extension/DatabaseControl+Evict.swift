import Glibc
import HookLink
import LeafManifest

/// The cache's leaves leave it: by their keys where the engine can do that, and by a cache that is made
/// small, which also takes what has no key here and keeps readers from filling it again.
extension DatabaseControl {
  /// In nanoseconds; a third of what a proxy waits where nobody says otherwise.
  private static let evictionLimit: UInt64 = 20_000_000_000
  /// Eviction that has not moved for so many looks has come to what it cannot evict. Where its threads get
  /// little processor time, this one gets little too, and so it waits for longer.
  private static let evictionPatience = 20
  private static let sampleSize = 64
  /// Milliseconds between two looks at the sample, which cost the engine as much as any search.
  private static let pollInterval: Int32 = 20
  /// Long enough for what is freed to lie side by side in the allocator when it gives it back: each range
  /// costs a mapping and a TLB flush of the whole process.
  private static let purgeInterval: UInt64 = 250_000_000
  /// A dirty leaf is written by the first visit and evicted by the second; the rest is in use.
  private static let passes = 3

  /// Evicts leaf by leaf, so that the small cache afterwards finds nothing to do: the program's threads
  /// are made to help where a cache is too full, and wait for it.
  func evictByKey(
    _ found: Found, threads: Int, catching window: HoldWindow?, _ watch: inout Stopwatch
  ) {
    guard let hold, engine.evictsByKey else { return }
    let stop = Signal()
    for _ in 0..<DatabaseControl.passes where !stop.isRaised {
      let eviction = LeafEviction(
        of: found.leaving, home: agent.home, engine: engine, hold: hold, threads: threads,
        stop: stop)
      // What is freed is caught while the rest is evicted.
      var purged = monotonicNanoseconds()
      while !eviction.join(milliseconds: DatabaseControl.pollInterval) {
        if isGivenUp { stop.raise() }
        guard monotonicNanoseconds() - purged > DatabaseControl.purgeInterval else { continue }
        giveBackFree(window)
        purged = monotonicNanoseconds()
      }
      if eviction.met <= found.leavingCount / 100 || isGivenUp { break }
    }
    watch.lap("evict by key")
  }

  /// Waits until the cache has shrunk. The pages that a cache of that size keeps are allowed to stay.
  func evict(
    _ found: Found?, from usage: CacheUsage, to budget: CacheBudget,
    catching window: HoldWindow?, _ watch: inout Stopwatch, _ notes: inout [String]
  ) {
    // The engine may have taken a larger size only.
    let size = smallCache?.size ?? usage.limit
    let spare = budget.size - budget.content
    let content = max(budget.content, size > spare ? size - spare : 0)
    // Where leaves are not listed, only bytes tell how far their eviction has come.
    let listed = found.flatMap { $0.isComplete ? $0 : nil }
    let sample = listed.flatMap { found in
      hold.flatMap {
        try? ResidencySample(
          of: found.resident, size: DatabaseControl.sampleSize, home: agent.home, engine: engine,
          hold: $0)
      }
    }
    /// How much is there, and how much of that may stay.
    func measure() -> (now: UInt64, enough: UInt64)? {
      if let sample {
        let enough = Double(sample.count) * Double(content) / Double(max(usage.used, 1))
        return (UInt64(sample.resident()), UInt64(enough))
      }
      return (try? cacheUsage()).map { ($0.used, content) }
    }
    let began = monotonicNanoseconds()
    var shrinkage = Shrinkage()
    var last = UInt64.max
    var purged = began
    while !isGivenUp {
      let now = monotonicNanoseconds()
      guard let (amount, enough) = measure() else { break }
      // An engine goes on below its limit until it is at its target.
      if amount <= enough && amount >= last { break }
      last = amount
      shrinkage.look(at: amount)
      if shrinkage.looksSinceLeast > DatabaseControl.evictionPatience { break }
      if now - began > DatabaseControl.evictionLimit { break }
      if now - purged > DatabaseControl.purgeInterval {
        purged = now
        giveBackFree(window)
      }
      agent.stop.wait(milliseconds: DatabaseControl.pollInterval)
    }
    if let note = smallCache?.noteOfRaise { notes.append(note) }
    watch.lap("evict")
  }

  /// Has the allocator give back what it keeps, to the window or else to the kernel.
  private func giveBackFree(_ window: HoldWindow?) {
    if let window { window.purge() } else { hold?.purge() }
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
