import Glibc
import HookLink

/// The engine's cache_size: read, made small, restored.
extension DatabaseControl {
  func cacheUsage() throws(StepFailure) -> CacheUsage {
    do throws(EngineError) { return try engine.cacheUsageAnyway() } catch {
      throw StepFailure("read cache_size", error)
    }
  }

  /// Makes the cache as small as a budget says.
  func shrink(to budget: CacheBudget, _ notes: inout [String]) throws(StepFailure) {
    // A checkpoint has been taken since the budget was made: dirty is what writers have now.
    let usage = try cacheUsage()
    do throws(EngineError) {
      smallCache = try SmallCache(engine, bytes: budget.size, usage: usage, &notes)
    } catch {
      throw StepFailure("evict", error)
    }
  }

  /// Gives the cache its size back.
  func restoreCache(_ notes: inout [String]) {
    guard let smallCache else { return }
    self.smallCache = nil
    if let note = smallCache.noteOfRaise { notes.append(note) }
    if let failure = smallCache.restore(unless: agent.stop) {
      notes.append("the cache could not be given its size back: \(failure)")
    }
  }
}
