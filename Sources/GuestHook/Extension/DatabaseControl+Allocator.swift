import HookLink

/// Whether the allocator that was found is the engine's.
extension DatabaseControl {
  /// Where fewer bytes than these have left the cache, nothing is said about the allocator.
  private static let leastLost: UInt64 = 64 << 20
  /// Whose allocator it is gives back most of what leaves the cache (docs/measurements.md).
  private static let leastShare: UInt64 = 4
  /// What went to the kernel with each run that could not be moved: a shorter one needs UFFDIO_MOVE.
  private static let failedRun: UInt64 = 16 << 10

  /// A program may have a malloc of its own linked in, and one that is preloaded beside it serves nobody: all that
  /// is purged is that one, which has nothing.
  ///
  /// - Parameter before: of the cache before the eviction. The allocator has been purged since.
  /// - Returns: what to say, or nil where it is the engine's as far as can be seen.
  func strangeAllocator(since before: CacheUsage) -> String? {
    guard let hold, let after = try? cacheUsage() else { return nil }
    let statistics = hold.statistics
    return DatabaseControl.strangeAllocator(
      hold.allocator, lost: before.used - min(before.used, after.used),
      caught: statistics.moved_bytes, failures: statistics.failures)
  }

  /// - Parameters:
  ///   - lost: bytes that have left the cache.
  ///   - caught: bytes that were given back meanwhile, and are held.
  ///   - failures: runs that were given back, and are not.
  static func strangeAllocator(
    _ name: String, lost: UInt64, caught: UInt64, failures: UInt64
  ) -> String? {
    guard lost > leastLost, caught < lost / leastShare,
      failures < (lost / leastShare - caught) / failedRun
    else { return nil }
    return """
      \(lost >> 20) MiB have left the cache, and \(name) gave back \(caught >> 20) MiB: the engine's memory does not \
      come from \(name) but from another malloc, such as one that is linked into the program, and is not held; \
      use a build of the program whose malloc is the preloaded library's
      """
  }
}
