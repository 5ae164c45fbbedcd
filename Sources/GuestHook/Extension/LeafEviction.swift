import LeafManifest

extension Engine {
  private static let evictingCursor = "debug=(release_evict=true)"

  /// Whether a cursor can be had that evicts the page it leaves. Engines that have no such cursors
  /// refuse the configuration (3.2.1); which have them is not for their version numbers to say.
  var evictsByKey: Bool {
    (try? openSession("", expectingErrors: true).openCursor("metadata:", Engine.evictingCursor))
      != nil
  }

  fileprivate func evictingVisitor(
    _ hold: HoldLibrary, home: String
  ) throws(EngineError) -> LeafVisitor {
    try LeafVisitor(self, probing: hold, home: home, cursors: Engine.evictingCursor)
  }
}

/// One pass over leaves that are evicted by their separator keys. Nothing is read for it: a leaf that
/// is not in the cache is passed by.
struct LeafEviction: Sendable {
  /// Leaves that one thread visits before it takes the next.
  private static let piece = 64

  private let crew: Crew
  private let found = Counter()

  init(
    of tables: [LeafManifest.Table], home: String, engine: Engine, hold: HoldLibrary, threads: Int,
    stop: Signal
  ) {
    let pieces = tables.batches(of: LeafEviction.piece)
    let next = Counter()
    crew = Crew("leafcutter-evict", count: min(threads, pieces.count)) { [found] _ in
      guard let visitor = try? engine.evictingVisitor(hold, home: home) else { return }
      while case let index = next.take(1), index < pieces.count, !stop.isRaised {
        let (table, range) = pieces[index]
        guard visitor.moves(to: tables[table].uri) else { continue }
        _ = found.take(visitor.count(tables[table].leaves, range))
        visitor.letGo()
      }
    }
  }

  /// Waits for the pass to end; false where it has not after so long.
  func join(milliseconds: Int32) -> Bool { crew.join(milliseconds: milliseconds) }

  /// How many leaves were in the cache when they were visited.
  var met: Int { found.taken }
}
