/// Checks the whole database: every document against what it was written with, the index against the
/// documents, and that nothing is missing or in excess. Works beside a running workload.
public struct Verifier: Sendable {
  public struct Result: Equatable, Sendable {
    public var documents = 0
    public var indexEntries = 0
    /// Documents and index entries that are damaged, missing or in excess.
    public var bad = 0
    /// Whether it was stopped before it had seen everything.
    public var isComplete = true
  }

  private let store: Store
  private let threads: Int
  private let faults: FaultLog
  private let stop: StopFlag
  private let progress: VerifierProgress

  public init(_ store: Store, threads: Int, faults: FaultLog, stop: StopFlag) {
    self.store = store
    self.threads = threads
    self.faults = faults
    self.stop = stop
    progress = VerifierProgress(documents: store.shape.documents)
  }

  /// - Throws: ``DatabaseError`` where the database cannot be read at all.
  public func verify() throws(DatabaseError) -> Result {
    let collection = try sum { range throws(DatabaseError) in try scanCollection(range) }
    let index = try sum { range throws(DatabaseError) in try scanIndex(range) }
    var result = Result(
      documents: collection.documents, indexEntries: index.indexEntries,
      bad: collection.bad + index.bad, isComplete: !stop.isSet)
    // Each right entry is the only one for its document, so the count tells whether one is missing.
    let right = index.indexEntries - index.bad
    if result.isComplete, right < Int(store.shape.documents) {
      result.bad += Int(store.shape.documents) - right
      faults.note(.notInIndex)
    }
    return result
  }

  private func sum(
    _ scan: @escaping @Sendable (ScanRange) throws(DatabaseError) -> Result
  ) throws(DatabaseError) -> Result {
    let parts = threads
    let results = inParallel("verify", parts) { part -> Swift.Result<Result, DatabaseError> in
      do throws(DatabaseError) {
        return .success(try scan(ScanRange(part: part, parts: parts)))
      } catch {
        return .failure(error)
      }
    }
    var sum = Result()
    for result in results {
      let part = try result.get()
      sum.documents += part.documents
      sum.indexEntries += part.indexEntries
      sum.bad += part.bad
    }
    return sum
  }

  // MARK: The collection

  private func scanCollection(_ range: ScanRange) throws(DatabaseError) -> Result {
    var result = Result()
    guard let ids = range.ids(store.shape.documents) else { return result }
    let session = try store.database.openSession()
    let cursor = try session.openCursor(Collection.collectionURI)
    let checker = try DocumentChecker(store)
    defer { checker.close() }
    var expected = ids.lowerBound
    var more = try cursor.seek(id: expected)
    while more, !stop.isSet {
      let id = try cursor.keyID()
      // What lies after the last record that there should be is looked at by the last part.
      if id > ids.upperBound, id <= store.shape.documents { break }
      result.documents += 1
      if id > store.shape.documents || id < expected {
        bad(&result, .document(.otherRecord), id)
      } else {
        for missing in expected..<id { bad(&result, .notInCollection, missing) }
        expected = id + 1
        if let fault = checker.fault(of: cursor, id) { bad(&result, fault, id) }
      }
      if result.documents % 1024 == 0 {
        progress.add(1024)
        // A cursor that never lets go would keep the workload's old versions in the cache.
        try cursor.reset()
        more = try cursor.seek(id: id + 1)
      } else {
        more = try cursor.next()
      }
    }
    if !stop.isSet, expected <= ids.upperBound {
      for missing in expected...ids.upperBound { bad(&result, .notInCollection, missing) }
    }
    try session.close()
    return result
  }

  // MARK: The index

  /// An entry is right when its key is the one that its record's id gives. Keys are unique in a table and
  /// one to one with ids, so no two right entries name the same record.
  private func scanIndex(_ range: ScanRange) throws(DatabaseError) -> Result {
    var result = Result()
    let session = try store.database.openSession()
    let cursor = try session.openCursor(Collection.indexURI)
    let hashes = range.hashes
    let end = hashes.before.map { UserKey(hash: $0) }
    var more = try cursor.seek(key: UserKey(hash: hashes.from))
    while more, !stop.isSet {
      if let end, try !cursor.keyPrecedes(end) { break }
      let id = try cursor.valueID()
      result.indexEntries += 1
      let isRight =
        (1...store.shape.documents).contains(id)
        ? try cursor.keyEquals(UserKey(recordID: id)) : false
      if !isRight { bad(&result, .indexDisagrees, id) }
      more = try cursor.next()
    }
    try session.close()
    return result
  }

  private func bad(_ result: inout Result, _ fault: OperationFault, _ recordID: Int64) {
    result.bad += 1
    faults.note(fault, recordID: recordID)
  }
}
