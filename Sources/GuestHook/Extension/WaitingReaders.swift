/// Threads that read leaves back and wait inside the engine for room in its cache, when they are to end.
///
/// They do not see it there, and what fills the cache may be a transaction that only the closing of the engine ends,
/// which waits for them. So the cache is made larger until they have gone. A session that never waits
/// (`ignore_cache_size`) is no way out: the engine marks what it reads, and does not take its eviction for progress
/// (WT_PAGE_EVICT_NO_PROGRESS).
struct WaitingReaders {
  /// What the reads that are under way may take on slow storage, in nanoseconds.
  private static let patience: UInt64 = 1_000_000_000
  /// How much larger the cache is made each time.
  private static let growth: UInt64 = 4
  /// The engine's own limit of `cache_size`, in bytes.
  private static let largest: UInt64 = 10 << 40

  private let engine: Engine
  /// When they have had time enough.
  private var due: UInt64?
  /// Bytes, before it was made larger.
  private var original: UInt64?
  private var size: UInt64 = 0

  init(_ engine: Engine) { self.engine = engine }

  /// To be called again and again while they are to end and have not.
  mutating func letGo(now: UInt64) {
    guard let due else {
      due = now + WaitingReaders.patience
      return
    }
    guard now >= due else { return }
    self.due = now + WaitingReaders.patience
    guard let original = original ?? (try? engine.cacheUsageAnyway().limit) else { return }
    self.original = original
    size = min(max(size, original) * WaitingReaders.growth, WaitingReaders.largest)
    try? engine.reconfigure("cache_size=\(size)")
  }

  func giveCacheItsSize() {
    guard let original else { return }
    try? engine.reconfigure("cache_size=\(original)")
  }
}
