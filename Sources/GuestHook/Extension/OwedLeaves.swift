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
  func withOwed(_ resident: [LeafManifest.Table], _ notes: inout [String]) -> [LeafManifest.Table] {
    let owed = owedTables(&notes)
    guard !owed.isEmpty else { return resident }
    var tables = resident
    for table in owed {
      if let index = tables.firstIndex(where: {
        $0.uri == table.uri && $0.creation == table.creation
      }) {
        tables[index].leaves = tables[index].leaves.united(with: table.leaves)
      } else {
        tables.append(table)
      }
    }
    return tables
  }
}

extension LeafList {
  /// These leaves and those of another list whose keys are not among them, in file-offset order. A leaf that has been
  /// written anew since lies elsewhere, and is found by its key.
  func united(with other: LeafList) -> LeafList {
    var known: Set<ArraySlice<UInt8>> = []
    known.reserveCapacity(count)
    for leaf in 0..<count { known.insert(keyBytes[keyRange(leaf)]) }
    var result = self
    result.append(
      contentsOf: other.inOffsetOrder { !known.contains(other.keyBytes[other.keyRange($0)]) })
    return result.inOffsetOrder { _ in true }
  }
}
