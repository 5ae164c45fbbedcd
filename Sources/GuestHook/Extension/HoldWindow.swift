import Synchronization

/// The time in which what the program frees is caught. It ends early where the guest's memory becomes short: what is
/// caught stays taken, and the program takes other memory in its place.
final class HoldWindow: Sendable {
  /// Longer than a thread that purges is mostly kept from its processor, in milliseconds.
  private static let purgePause: Int32 = 20
  /// Nanoseconds.
  private static let purgeLimit: UInt64 = 2_000_000_000
  /// Bytes that a program frees in that time, and that are not worth another round.
  private static let worthless = 4 << 20
  /// Memory is short below so many bytes, or half of what there was.
  private static let short: UInt64 = 64 << 20

  private let hold: HoldLibrary
  private let available: @Sendable () -> UInt64
  private let least: UInt64
  private let closedEarly = Atomic(false)

  /// - Parameters:
  ///   - hold: with its window open.
  ///   - spare: bytes of memory that nobody used when it was opened; 0 where that is not told.
  ///   - available: the same at any time.
  init(
    _ hold: HoldLibrary, spare: UInt64,
    available: @escaping @Sendable () -> UInt64 = { SpareMemory.now() }
  ) {
    self.hold = hold
    self.available = available
    least = min(spare / 2, HoldWindow.short)
  }

  /// Whether it has ended because memory was short.
  var hasClosedEarly: Bool { closedEarly.load(ordering: .relaxed) }

  /// Asks the allocator for the free memory that it keeps.
  func purge() {
    if !hasClosedEarly, available() < least {
      closedEarly.store(true, ordering: .relaxed)
      hold.close()
    }
    hold.purge()
  }

  /// Asks until it keeps next to nothing, within bounds.
  ///
  /// While one thread purges an arena of jemalloc's, every other one's purge of it returns at once and
  /// says nothing (`pac_decay_to_limit` in src/pac.c), and the program's threads purge by themselves
  /// every now and then. So the allocator is asked what it still keeps, and where it does not tell, what
  /// is caught while this thread waits is another's purge.
  func purgeCompletely(unless stop: Signal) {
    let end = monotonicNanoseconds() + HoldWindow.purgeLimit
    var caught: UInt64
    repeat {
      purge()
      caught = hold.statistics.moved_bytes
    } while !hasClosedEarly && !stop.wait(milliseconds: HoldWindow.purgePause)
      && (hold.statistics.moved_bytes != caught
        || hold.keptFree > max(HoldWindow.worthless, Int(caught / 64)))
      && monotonicNanoseconds() < end
  }
}
