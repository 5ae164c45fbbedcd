import Glibc
import LeafManifest

/// Which leaves are in the cache, asked without reading any.
struct Residency: Sendable {
  /// One flag for each leaf, table by table.
  var tables: [[Bool]]
  var resident = 0
  /// Leaves of tables that another session had exclusively, or for which there was no session. They count as not
  /// in the cache.
  var unasked = 0

  /// Leaves that one thread asks for before it takes the next.
  private static let piece = 512

  init(
    of tables: [LeafManifest.Table], home: String, engine: Engine, hold: HoldLibrary, threads: Int,
    stop: Signal
  ) {
    let pieces = tables.batches(of: Residency.piece)
    let next = Counter()
    let asked = Counter()
    let results = Locked(tables.map { [Bool](repeating: false, count: $0.leaves.count) })
    let crew = Crew("leafcutter-probe", count: min(threads, pieces.count)) { _ in
      guard let visitor = try? LeafVisitor(engine, probing: hold, home: home) else { return }
      while case let index = next.take(1), index < pieces.count, !stop.isRaised {
        let (table, range) = pieces[index]
        guard visitor.moves(to: tables[table].uri) else { continue }
        var flags: [Bool] = []
        visitor.visit(tables[table].leaves, range) { flags.append($0) }
        visitor.letGo()
        _ = asked.take(range.count)
        results.withLock { $0[table].replaceSubrange(range, with: flags) }
      }
    }
    crew.join()
    self.tables = results.withLock { $0 }
    unasked = tables.leafCount - asked.taken
    resident = self.tables.reduce(0) { $0 + $1.count { $0 } }
  }

  /// The leaves that are in the cache, or those that are not, each table's in file-offset order; tables
  /// without any are left out.
  func leaves(of tables: [LeafManifest.Table], inCache wanted: Bool) -> [LeafManifest.Table] {
    zip(tables, self.tables).compactMap { table, flags in
      let leaves = table.leaves.inOffsetOrder { flags[$0] == wanted }
      return leaves.count == 0
        ? nil : LeafManifest.Table(uri: table.uri, creation: table.creation, leaves: leaves)
    }
  }
}

/// A few leaves, evenly spread, that say how far eviction has come.
struct ResidencySample {
  private var leaves: [(uri: String, key: [UInt8])] = []
  private let visitor: LeafVisitor
  var count: Int { leaves.count }

  /// - Parameter size: how many leaves to ask for at a time.
  init(
    of tables: [LeafManifest.Table], size: Int, home: String, engine: Engine, hold: HoldLibrary
  ) throws(EngineError) {
    visitor = try LeafVisitor(engine, probing: hold, home: home)
    let total = tables.leafCount
    let step = max(1, total / size)
    var passed = 0
    for table in tables {
      let count = table.leaves.count
      for leaf in stride(from: (step - passed % step) % step, to: count, by: step) {
        leaves.append((table.uri, Array(table.leaves.keyBytes[table.leaves.keyRange(leaf)])))
      }
      passed += count
    }
  }

  /// How many of the sample are in the cache now.
  func resident() -> Int {
    defer { visitor.letGo() }
    return leaves.count { leaf in
      guard visitor.moves(to: leaf.uri) else { return false }
      // The key is alive during the call.
      return unsafe leaf.key.withUnsafeBytes {
        unsafe visitor.visit($0) == 0
      }
    }
  }
}
