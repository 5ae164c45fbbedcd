import Glibc
import HookLink

/// The engine's cache_size: read, made small, restored.
extension DatabaseControl {
  struct CacheUsage {
    /// cache_size, in bytes.
    var limit: UInt64
    /// Bytes in the cache.
    var used: UInt64
    /// Of those, bytes of pages that differ from storage.
    var dirty: UInt64
  }

  private static let smallestCache: UInt64 = 1 << 20

  func cacheUsage() throws(StepFailure) -> CacheUsage {
    do throws(EngineError) {
      do throws(EngineError) {
        return try readCacheUsage()
      } catch  where error.code == EINVAL {
        // A cursor on statistics is refused only where they are off, so that is what they go back to.
        try engine.reconfigure("statistics=(fast)")
        defer { try? engine.reconfigure("statistics=(none)") }
        return try readCacheUsage()
      }
    } catch {
      throw StepFailure("read cache_size", error)
    }
  }

  private func readCacheUsage() throws(EngineError) -> CacheUsage {
    let cursor = try engine.openSession("").openCursor("statistics:", "")
    var limit: UInt64?
    var used: UInt64?
    var dirty: UInt64?
    // By description, which has stayed the same where the numbers of the statistics have not.
    while limit == nil || used == nil || dirty == nil, try cursor.next() {
      let (description, value) = try cursor.statistic()
      if description == "cache: maximum bytes configured" { limit = value }
      if description == "cache: bytes currently in the cache" { used = value }
      if description == "cache: tracked dirty bytes in the cache" { dirty = value }
    }
    guard let limit, let used else {
      throw EngineError(action: "find the cache among the statistics", code: ENOENT)
    }
    return CacheUsage(limit: limit, used: used, dirty: dirty ?? used)
  }

  /// Makes the cache small, or as small as the program's other settings allow (an absolute
  /// eviction_trigger must not exceed cache_size).
  func shrink(
    to bytes: UInt64, from original: UInt64, _ notes: inout [String]
  ) throws(StepFailure) {
    let wanted = max(bytes, DatabaseControl.smallestCache)
    guard wanted < original else {
      // So much of it is to stay that there is nothing to make smaller.
      shrunk = (original, original)
      return
    }
    var size = wanted
    while size < original {
      do throws(EngineError) {
        try setCache(size)
        shrunk = (original, size)
        if size != wanted { notes.append("the cache could only be shrunk to \(size) bytes") }
        return
      } catch  where error.code == EINVAL {
        size = size.multipliedReportingOverflow(by: 2).overflow ? original : size * 2
      } catch {
        throw StepFailure("evict", error)
      }
    }
    notes.append("the cache could not be shrunk; only what the allocator keeps free is held")
    shrunk = (original, original)
  }

  /// Gives the cache its size back, unless the program has changed it meanwhile.
  func restoreCache() {
    guard let shrunk else { return }
    self.shrunk = nil
    guard let usage = try? cacheUsage(), usage.limit == shrunk.set else { return }
    try? setCache(shrunk.original)
  }

  private func setCache(_ bytes: UInt64) throws(EngineError) {
    do throws(EngineError) {
      try engine.reconfigure("cache_size=\(bytes)")
    } catch  where error.code == EINVAL {
      // A database that was opened with `log=(enabled)`, without a value, is refused any change that
      // does not name the log.
      try engine.reconfigure("cache_size=\(bytes),log=(enabled=true)")
    }
  }
}
