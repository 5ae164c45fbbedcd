/// Whether reads are really refused, seen from the engine's own count of pages that it read. They are not
/// where it does not read by pread(2): with `mmap_all`, in a database that is only read (`mmap`), or through a
/// file system that the program gave it.
final class ReadCheck: Sendable {
  /// The engine's count is looked at after so many searches each.
  private static let searches = 512
  /// 11.3.1 does not count mapped blocks among the pages.
  private static let pagesRead = [
    "cache: pages read into cache", "block-manager: mapped blocks read",
  ]

  private struct State {
    var asked = 0
    var refused = 0
    /// Of the engine, at the last look; nil where statistics are off.
    var pagesRead: UInt64?
    /// That the program had begun then.
    var programReads: UInt64 = 0
    var hasFailed = false
  }

  private let engine: Engine
  private let hold: HoldLibrary
  /// nil where they are off and cannot be switched on.
  private let statistics: StatisticsInUse?
  private let state: Locked<State>

  init(_ engine: Engine, _ hold: HoldLibrary) {
    self.engine = engine
    self.hold = hold
    statistics = try? StatisticsInUse(engine)
    hold.timeReads(true)
    state = Locked(
      State(pagesRead: ReadCheck.count(engine), programReads: hold.reads.begun))
  }

  /// When the last search is over.
  func end() {
    hold.timeReads(false)
    statistics?.end()
  }

  /// So many searches found everything in the cache, and the engine has read about as many pages meanwhile that
  /// no pread(2) of the program's brought.
  var hasFailed: Bool { state.withLock { $0.hasFailed } }

  func note(asked: Int, refused: Int) {
    state.withLock { state in
      state.asked += asked
      state.refused += refused
      guard state.asked >= ReadCheck.searches else { return }
      let now = ReadCheck.count(engine)
      let programReads = hold.reads.begun
      if state.refused == 0, let before = state.pagesRead, let now,
        // The engine's counters may be below zero for a moment, and so beyond any sum.
        Int64(bitPattern: now &- before &- (programReads &- state.programReads))
          >= ReadCheck.searches / 2
      {
        state.hasFailed = true
      }
      state = State(pagesRead: now, programReads: programReads, hasFailed: state.hasFailed)
    }
  }

  private static func count(_ engine: Engine) -> UInt64? {
    (try? engine.statistics(pagesRead))?.reduce(0) { $0 &+ ($1 ?? 0) }
  }
}
