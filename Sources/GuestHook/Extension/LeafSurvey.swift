import LeafManifest
import Synchronization

/// Which leaves of the last checkpoint's trees are in the cache, asked without reading any.
///
/// Internal pages are read from the database's own files: they hold their children's addresses and
/// separator keys. A leaf is searched for by its key with this thread's reads refused, and is in the cache
/// where that succeeds. No page is in a cache without those above it, and the read that is refused says
/// which page was missing; so what lies below an internal page that is not in the cache is passed by
/// unread, and all this costs what the cache is and not what the database is.
struct LeafSurvey: Sendable {
  /// The leaves that are in the cache, in key order.
  var tables: [LeafManifest.Table] = []
  /// How many leaves were searched for.
  var asked = 0
  /// Subtrees whose blocks a later checkpoint has taken over meanwhile: looking again may help.
  var stale = 0
  /// Leaves and subtrees of a kind that is not listed.
  var unsupported = 0
  /// Leaves and subtrees of tables that another session has exclusively now.
  var unasked = 0
  /// See ``TableCatalog/leftOut``.
  let tablesLeftOut: Int

  var count: Int { tables.reduce(0) { $0 + $1.leaves.count } }

  /// Why leaves are not asked for.
  enum Obstacle: Error {
    /// The engine gave no session.
    case noSession
    /// Reads are not refused: asking would read the whole database.
    case readsAll
  }

  /// - Parameters:
  ///   - home: the database's directory.
  ///   - threads: how many read and ask; a subtree below a root is one piece of work.
  init(
    home: String, catalog: TableCatalog, engine: Engine, hold: HoldLibrary, threads: Int,
    stop: Signal
  ) throws(Obstacle) {
    tablesLeftOut = catalog.leftOut
    tables = catalog.tables.map { .init(uri: $0.uri, creation: $0.creation, leaves: LeafList()) }
    let pieces = split(catalog.tables, home: home)
    let check = ReadCheck(engine, hold)
    defer { check.end() }
    let results = Locked([LeafWalk.Findings?](repeating: nil, count: pieces.count))
    let next = Counter()
    let crew = Crew("leafcutter-list", count: min(threads, pieces.count)) { _ in
      hold.readApart()
      guard var walk = LeafWalk(home: home, engine: engine, hold: hold, check: check) else {
        return
      }
      while case let index = next.take(1), index < pieces.count, !stop.isRaised, !check.hasFailed {
        let piece = pieces[index]
        let findings = walk.findings(in: piece.content, of: catalog.tables[piece.table])
        results.withLock { $0[index] = findings }
      }
    }
    crew.join()
    if check.hasFailed { throw .readsAll }
    if next.taken < pieces.count, !stop.isRaised { throw .noSession }
    for (piece, findings) in zip(pieces, results.withLock { $0 }) {
      guard let findings else { continue }
      tables[piece.table].leaves.append(contentsOf: findings.leaves)
      asked += findings.asked
      stale += findings.stale
      unsupported += findings.unsupported
      unasked += findings.unasked
    }
    tables.removeAll { $0.leaves.count == 0 }
  }

  private struct Piece: Sendable {
    var table: Int
    var content: LeafWalk.Content
  }

  /// The subtrees below the roots, and the leaves that roots name themselves. A table whose file the
  /// engine has not open has nothing in the cache.
  private mutating func split(_ tables: [TableCatalog.Table], home: String) -> [Piece] {
    let open = OpenFiles()
    var pieces: [Piece] = []
    for (number, table) in tables.enumerated() {
      guard let root = table.root, open.contains(table.path(in: home)) else { continue }
      guard let file = TableFile(home: home, table: table) else {
        unasked += 1
        continue
      }
      var leaves = LeafList()
      do throws(InternalPage.Problem) {
        unsupported += try file.forEachChild(of: root, separator: []) {
          (child, key) throws(InternalPage.Problem) in
          if child.isLeaf {
            leaves.append(offset: child.address.offset, size: child.address.size, key: key)
          } else {
            if leaves.count > 0 { pieces.append(Piece(table: number, content: .leaves(leaves))) }
            leaves = LeafList()
            pieces.append(Piece(table: number, content: .subtree(child.address, key: Array(key))))
          }
        }
      } catch {
        switch error {
        case .stale: stale += 1
        case .unsupported: unsupported += 1
        }
      }
      if leaves.count > 0 { pieces.append(Piece(table: number, content: .leaves(leaves))) }
    }
    return pieces
  }
}

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
        now >= before + (programReads - state.programReads) + UInt64(ReadCheck.searches / 2)
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

/// Hands out numbers to several threads.
final class Counter: Sendable {
  private let value = Atomic<Int>(0)

  /// The first of the next `count` numbers.
  func take(_ count: Int) -> Int { value.add(count, ordering: .relaxed).oldValue }

  var taken: Int { value.load(ordering: .relaxed) }
}
