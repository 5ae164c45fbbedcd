/// When the allocator is asked next, beside an eviction, for the free memory that it keeps.
struct PurgePace {
  /// In nanoseconds; long enough for what is freed to lie side by side in the allocator when it gives it back: each
  /// range costs a mapping and a TLB flush of the whole process.
  private static let interval: UInt64 = 250_000_000
  /// A purge keeps the program's threads from the allocator, glibc's (malloc_trim) from an arena for as long as it
  /// walks that, which in a large heap takes seconds: they have the allocator to themselves for so many times as long.
  private static let restsPerPurge: UInt64 = 5

  private var next: UInt64

  /// - Parameter now: on the monotonic clock, as all times here.
  init(now: UInt64) { next = now + PurgePace.interval }

  func isDue(at now: UInt64) -> Bool { now > next }

  mutating func purged(from begin: UInt64, until end: UInt64) {
    next = end + max(PurgePace.interval, (end - begin) * PurgePace.restsPerPurge)
  }
}
