import Glibc

/// The engine's cache_size while a migration lasts: small, and made larger again for writers that it
/// would fail.
///
/// What a transaction has written stays in the cache until its end. Where that is more than a fifth of
/// cache_size (`eviction_dirty_trigger`), the program's threads are made to evict, find nothing, and after
/// about a second the engine rolls the transaction back, or with 3.2.1 spends ten times as long on it.
/// So the cache begins with room for what is dirty, and a thread of its own watches the engine's own
/// measure of eviction in vain, which says the same of pages that open cursors and snapshots pin.
/// It is never made smaller again before the end.
final class SmallCache: Sendable {
  /// The program's own cache_size, in bytes.
  let original: UInt64

  private static let smallest: UInt64 = 1 << 20
  /// Between two looks, in milliseconds. One takes 0.13 ms, and some twenty times as long under emulation;
  /// the engine gives a writer about a second.
  private static let interval: Int32 = 100
  /// A cache that stayed small would make a database slow for good, so that is tried for some time.
  private static let restoring = (attempts: 50, pause: Int32(100))
  /// With so many times what is dirty, neither that nor the updates alone (`eviction_updates_trigger`, half
  /// as much) reach their triggers.
  private static let timesDirty: UInt64 = 10

  private let engine: Engine
  private struct State {
    var size: UInt64
    var wasRaised = false
  }
  /// Shared with the watch.
  private final class Shared: Sendable {
    let state: Locked<State>
    init(size: UInt64) { state = Locked(State(size: size)) }
  }
  private let shared: Shared
  /// Which the watch needs.
  private let statistics = Locked<StatisticsInUse?>(nil)
  private let stop = Signal()
  private let watch: Crew?

  /// Makes the cache small, or as small as the program's other settings allow (an absolute
  /// eviction_trigger must not exceed cache_size).
  ///
  /// - Parameters:
  ///   - bytes: the size that is wanted.
  ///   - usage: of the cache as it is.
  init(
    _ engine: Engine, bytes: UInt64, usage: CacheUsage, _ notes: inout [String]
  ) throws(EngineError) {
    self.engine = engine
    original = usage.limit
    // Dirty once more is what is written until somebody looks.
    let wanted = max(bytes + 2 * usage.dirty, SmallCache.smallest)
    // Of a cache that has its own size, nothing is to be watched.
    shared = Shared(size: original)
    watch = wanted < original ? SmallCache.watch(engine, shared, below: original, until: stop) : nil
    var size = wanted
    var isSet = false
    while watch != nil, size < original, !isSet {
      do throws(EngineError) {
        try engine.setCacheSize(size)
        isSet = true
        if size != wanted { notes.append("the cache could only be shrunk to \(size) bytes") }
      } catch  where error.code == EINVAL {
        size = size.multipliedReportingOverflow(by: 2).overflow ? original : size * 2
      } catch {
        endWatch()
        _ = SmallCache.giveBack(original, to: engine, unless: Signal())
        throw error
      }
    }
    if !isSet, watch != nil,
      let failure = SmallCache.giveBack(original, to: engine, unless: Signal())
    {
      notes.append("the cache could not be given its size back: \(failure)")
    }
    if !isSet, wanted < original {
      notes.append(
        watch == nil
          ? "no thread is to be had that makes a small cache larger for writers, so the cache keeps its size"
          : "the cache could not be shrunk; only what the allocator keeps free is held")
    }
    guard isSet else {
      endWatch()
      return
    }
    shared.state.withLock { $0.size = size }
    let inUse = try? StatisticsInUse(engine)
    statistics.withLock { $0 = inUse }
  }

  /// It must be there before the cache is small, and does nothing until then. nil where no thread is to be
  /// had.
  private static func watch(
    _ engine: Engine, _ shared: Shared, below original: UInt64, until stop: Signal
  ) -> Crew? {
    Crew(besides: "leafcutter-room", count: 1) { _ in
      var eviction = EvictionInVain()
      while !stop.wait(milliseconds: SmallCache.interval) {
        guard let usage = try? engine.cacheUsage() else { continue }
        // Not inside `state`: the engine lets a checkpoint that goes on come to its end first.
        let now = shared.state.withLock { $0 }
        // Otherwise the program has its own idea of the size now.
        guard usage.limit == now.size, now.size < original,
          let size = SmallCache.largerSize(
            than: now, usage, isInVain: eviction.isInVain(usage), below: original),
          (try? engine.setCacheSize(size)) != nil
        else { continue }
        shared.state.withLock { $0 = State(size: size, wasRaised: true) }
      }
    }
  }

  /// What cache_size was last set to, in bytes.
  var size: UInt64 { shared.state.withLock { $0.size } }

  /// That writers needed a larger one; nil where the small one did.
  var noteOfRaise: String? {
    shared.state.withLock {
      $0.wasRaised ? "the small cache was made larger for writers, \($0.size >> 20) MiB" : nil
    }
  }

  /// Ends the use of the engine; the cache stays as it is.
  func endWatch() {
    stop.raise()
    watch?.join()
  }

  /// Gives the cache its size back, unless the program has changed it meanwhile.
  ///
  /// - Returns: why it could not be, or nil.
  func restore(unless stop: Signal) -> EngineError? {
    endWatch()
    // Where the engine does not say what it is, it is what was set here.
    let limit = try? engine.cacheUsage().limit
    let isOurs = size != original && limit ?? size == size
    let failure = isOurs ? SmallCache.giveBack(original, to: engine, unless: stop) : nil
    statistics.withLock { $0 = nil }
    return failure
  }

  /// Sets the cache's size until the engine takes it, within bounds. After a size that it refused, too: an
  /// engine may have taken that all the same, and not the threshold for which it was refused.
  private static func giveBack(
    _ size: UInt64, to engine: Engine, unless stop: Signal
  ) -> EngineError? {
    var failure: EngineError?
    for _ in 0..<SmallCache.restoring.attempts {
      do throws(EngineError) {
        try engine.setCacheSize(size)
        return nil
      } catch {
        failure = error
      }
      if stop.wait(milliseconds: SmallCache.restoring.pause) { break }
    }
    return failure
  }

  /// What was in the cache is held still and counts as this process's own: no larger than a control group has
  /// memory for. (Where all of the guest's gets tight, the guardian gives frames back.)
  ///
  /// - Parameters:
  ///   - spare: bytes that the groups leave; nil for no limit.
  ///   - used: bytes in the cache now.
  static func within(_ spare: UInt64?, _ wanted: UInt64, used: UInt64) -> UInt64 {
    guard let spare else { return wanted }
    let (most, overflows) = used.addingReportingOverflow(spare)
    return overflows ? wanted : min(wanted, most)
  }

  /// The size that writers need; nil where the cache has it.
  private static func largerSize(
    than state: State, _ usage: CacheUsage, isInVain: Bool, below original: UInt64
  ) -> UInt64? {
    let dirty = usage.dirty.multipliedReportingOverflow(by: timesDirty)
    let needed = max(dirty.overflow ? original : dirty.partialValue, usage.used / 4 * 5)
    // Once a writer was in distress, it is kept ahead of.
    guard isInVain || state.wasRaised && needed > state.size else { return nil }
    let wanted = min(
      original, max(needed, state.size.multipliedReportingOverflow(by: 2).partialValue))
    let size = within(SpareMemory.inControlGroups, wanted, used: usage.used)
    return size > state.size ? size : nil
  }
}
