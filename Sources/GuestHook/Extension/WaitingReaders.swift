/// Threads that read leaves back and wait inside the engine for room in its cache while the program closes it.
///
/// They do not see there that they are to end, and what fills the cache may be a transaction that only the closing
/// ends, which waits for them. So the cache is made so large that nobody waits; it need not be made small again. A
/// session that never waits (`ignore_cache_size`) is no way out: the engine marks what it reads, and does not take its
/// eviction for progress (WT_PAGE_EVICT_NO_PROGRESS).
struct WaitingReaders {
  /// What the reads that are under way may take on slow storage, in nanoseconds.
  private static let patience: UInt64 = 1_000_000_000
  /// Thresholds too, for the program may have given them in bytes.
  private static let room = """
    cache_size=1TB,eviction_target=80,eviction_trigger=95,eviction_dirty_target=5,eviction_dirty_trigger=20
    """
  /// 3.2.1 has no such thresholds, and refuses them.
  private static let roomForUpdates =
    room + ",eviction_updates_target=5,eviction_updates_trigger=20"

  private let engine: Engine
  /// When they have had time enough.
  private var due: UInt64?
  private var configurations = [room, roomForUpdates]

  init(_ engine: Engine) { self.engine = engine }

  /// To be called again and again while the engine is to be closed and they have not ended.
  mutating func letGo(now: UInt64) {
    guard let due else {
      due = now + WaitingReaders.patience
      return
    }
    guard now >= due, let next = configurations.first else { return }
    self.due = now + WaitingReaders.patience
    configurations.removeFirst()
    try? engine.reconfigure(next)
  }
}
