// Figures that follow from those that were measured.

extension Method {
  /// Whether the database is to have its cache again some time after the migration.
  fileprivate var keepsCache: Bool {
    switch self {
    case .ideal, .leafcutterNoRefault, .shrunkCache: false
    default: true
    }
  }

  /// Whether it does not have it before the guest has read it back.
  fileprivate var refaults: Bool { usesLeafcutter && keepsCache }
}

extension Run {
  /// What was sent and what both hosts read from the storage: what the network carries where the storage
  /// is behind it too.
  var wireAndStorageBytes: Double? {
    guard let sent = self[.wireBytes], let read = self[.storageBytesRead] else { return nil }
    return sent + read
  }

  /// Seconds from the operator's first command until the database has its cache at the destination; nil
  /// where that was not seen, or the cache is none that was kept.
  var secondsUntilCacheIsBack: Double? {
    guard let method, method.keepsCache, let total = self[.total] else { return nil }
    guard method.refaults else { return total }
    // The refault counts from the switchover, which in post-copy comes before the migration's end; but it
    // is over when the run has been observed.
    return self[.refault].map { min(total + $0, self[.observed] ?? .infinity) }
  }

  /// Seconds from the switchover to 90 % of the operations. A run in which they were not reached again
  /// counts with the time for which it was observed, which is too little.
  var secondsTo90OrObserved: Double? { self[.secondsTo90] ?? self[.observedAfter] }

  /// Processor time of the programs that migrate, in the order in which costs are drawn.
  static let processorFigures: [Figure] = [
    .sourceProcessor, .proxyProcessor, .destinationProcessor,
  ]

  /// Their sum, in seconds; nil where none of it is known.
  package var processorSeconds: Double? {
    let parts = Run.processorFigures.compactMap { self[$0] }
    return parts.isEmpty ? nil : parts.reduce(0, +)
  }
}
