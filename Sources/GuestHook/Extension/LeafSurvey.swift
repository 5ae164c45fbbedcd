import LeafManifest

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
