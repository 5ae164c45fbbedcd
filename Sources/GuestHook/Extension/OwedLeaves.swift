import LeafManifest

/// Leaves that have left the cache for a migration and are not back in it.
enum OwedLeaves {
  /// The manifest beside the database names them.
  case inManifest
  /// It could not be written.
  case listed([LeafManifest.Table])
}

extension DatabaseControl {
  /// The leaves that are owed, of tables that still exist and are the same. None where the manifest cannot be
  /// read any more: then nothing is owed that could be given.
  func owedTables(_ notes: inout [String]) -> [LeafManifest.Table] {
    switch owed {
    case nil: return []
    case .listed(let tables): return (try? present(tables, &notes)) ?? []
    case .inManifest:
      guard let manifest = try? readManifest() else { return [] }
      return (try? present(manifest.tables, &notes)) ?? []
    }
  }

  /// What is in the cache, and what an earlier migration still owes: a cache that two migrations one after the other
  /// have met is as warm afterwards as before the first.
  ///
  /// - Parameter isOver: whether nobody wants it any more.
  /// - Throws: where it is over before all is brought together; everything is owed then that was before.
  func withOwed(
    _ resident: [LeafManifest.Table], _ notes: inout [String], for step: String,
    unless isOver: () -> Bool
  ) throws(StepFailure) -> [LeafManifest.Table] {
    guard let tables = resident.united(with: owedTables(&notes), unless: isOver) else {
      throw StepFailure(step, "it was interrupted")
    }
    return tables
  }
}

extension [LeafManifest.Table] {
  private struct Identity: Hashable {
    var uri: String
    var creation: UInt64

    init(of table: LeafManifest.Table) { (uri, creation) = (table.uri, table.creation) }
  }

  /// These tables, each with the leaves that others name of it, and those others that are not among them.
  ///
  /// - Returns: nil where it was over before the end.
  func united(with others: [LeafManifest.Table], unless isOver: () -> Bool) -> Self? {
    guard !others.isEmpty else { return self }
    var tables = self
    // There are thousands of tables in both.
    var places: [Identity: Int] = [:]
    for (place, table) in enumerated() { places[Identity(of: table)] = place }
    for table in others {
      if isOver() { return nil }
      let identity = Identity(of: table)
      guard let place = places[identity] else {
        places[identity] = tables.count
        tables.append(table)
        continue
      }
      guard let leaves = tables[place].leaves.united(with: table.leaves, unless: isOver) else {
        return nil
      }
      tables[place].leaves = leaves
    }
    return tables
  }
}

extension LeafList {
  /// How many leaves take no time worth a look at the clock.
  private static let leavesBetweenLooks = 4096

  /// These leaves and those of another list whose keys are not among them, in file-offset order. A leaf that has been
  /// written anew since lies elsewhere, and is found by its key.
  ///
  /// - Returns: nil where it was over before the end.
  func united(with other: LeafList, unless isOver: () -> Bool) -> LeafList? {
    var known: Set<ArraySlice<UInt8>> = []
    known.reserveCapacity(count)
    for leaf in 0..<count {
      if leaf % LeafList.leavesBetweenLooks == 0, isOver() { return nil }
      known.insert(keyBytes[keyRange(leaf)])
    }
    var result = self
    result.append(
      contentsOf: other.inOffsetOrder { !known.contains(other.keyBytes[other.keyRange($0)]) })
    if isOver() { return nil }
    return result.inOffsetOrder { _ in true }
  }
}
