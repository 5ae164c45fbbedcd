import Glibc

/// The engine's cache_size while a migration lasts: small, and made larger again for writers that it
/// would fail.
///
/// What a transaction has written stays in the cache until its end. Where that is more than a fifth of
/// cache_size (`eviction_dirty_trigger`), the program's threads are made to evict, find nothing, and after
/// about a second the engine rolls the transaction back, or with 3.2.1 spends ten times as long on it.
/// So the cache begins with room for twice what is dirty, and a thread of its own watches the engine's own
/// measure of eviction in vain, which says the same of pages that open cursors and snapshots pin.
/// Dirty is a whole leaf for one changed document, so a busy cache begins large and is made smaller while
/// what was dirty is written, until it once had to be made larger.
final class SmallCache: Sendable {
  /// The program's own cache_size, in bytes.
  let original: UInt64

  private static let smallest: UInt64 = 1 << 20
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
    /// Who has it changes the size. Not `state`: the engine lets a checkpoint that goes on come to its end
    /// first.
    let turn = Locked(())
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
    let wanted = SmallCache.size(for: bytes, dirty: usage.dirty)
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
      var interval = eviction.interval
      while !stop.wait(milliseconds: interval) {
        let elapsed = interval
        defer { interval = eviction.interval }
        shared.turn.withLock { _ in
          guard let usage = try? engine.cacheUsage() else { return }
          let now = shared.state.withLock { $0 }
          // Otherwise the program has its own idea of the size now.
          guard usage.limit == now.size, now.size < original,
            let size = SmallCache.largerSize(
              than: now, usage, isInVain: eviction.isInVain(usage, after: elapsed), below: original),
            (try? engine.setCacheSize(size)) != nil
          else { return }
          shared.state.withLock { $0 = State(size: size, wasRaised: true) }
        }
      }
    }
  }

  /// Makes the cache smaller where much of what was dirty when it got its size has been written since.
  ///
  /// - Parameter bytes: the size that is wanted.
  /// - Returns: whether it is smaller now.
  func tighten(to bytes: UInt64) -> Bool {
    shared.turn.withLock { _ in
      guard let usage = try? engine.cacheUsage() else { return false }
      let now = shared.state.withLock { $0 }
      let wanted = SmallCache.size(for: bytes, dirty: usage.dirty)
      // Only where somebody watches it, and where the program has no idea of its own. An eighth less is worth it:
      // the clients wait for what the engine then writes.
      guard watch != nil, !stop.isRaised, now.size < original, !now.wasRaised,
        usage.limit == now.size, wanted <= now.size / 8 * 7
      else { return false }
      guard (try? engine.setCacheSize(wanted)) != nil else {
        // It may have taken the size, and not the threshold for which it refused it.
        _ = SmallCache.giveBack(now.size, to: engine, unless: stop)
        return false
      }
      var size = wanted
      // While the engine waited for a checkpoint, more may have become dirty.
      if let dirty = (try? engine.cacheUsage())?.dirty {
        let needed = min(SmallCache.size(for: bytes, dirty: dirty), now.size)
        if needed > size, (try? engine.setCacheSize(needed)) != nil { size = needed }
      }
      shared.state.withLock { $0.size = size }
      return size < now.size
    }
  }

  /// Whether the engine has written so much of what was dirty that a good deal is gained by
  /// ``tighten(to:)``, or all that it writes by itself: its threads go on until `eviction_dirty_target` (5 %).
  func hasWritten(_ usage: CacheUsage, for bytes: UInt64) -> Bool {
    SmallCache.size(for: bytes, dirty: usage.dirty) <= size / 4 * 3 || usage.dirty <= size / 20
  }

  /// With twice what is dirty: as much again may be written until somebody looks.
  private static func size(for bytes: UInt64, dirty: UInt64) -> UInt64 {
    max(bytes + 2 * dirty, smallest)
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
    statistics.withLock {
      $0?.end()
      $0 = nil
    }
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
  /// memory for, of which a fifth is left for what an allocator takes beside the cache. (Where all of the guest's
  /// gets tight, the guardian has frames given back, but not before this database has said that it is prepared: until
  /// then ``HoldWindow`` catches no more.)
  ///
  /// - Parameters:
  ///   - spare: bytes that the groups leave; nil for no limit.
  ///   - used: bytes in the cache now.
  static func within(_ spare: UInt64?, _ wanted: UInt64, used: UInt64) -> UInt64 {
    guard let spare else { return wanted }
    let (whole, overflows) = used.addingReportingOverflow(spare)
    return overflows ? wanted : min(wanted, max(used, whole / 5 * 4))
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
