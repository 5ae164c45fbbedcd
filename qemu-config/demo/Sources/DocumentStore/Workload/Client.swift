/// One client of the store: reads and updates documents by their user keys and checks all it reads.
/// Belongs to one thread.
final class Client {
  private let session: Session
  private let collection: Cursor
  private let index: Cursor
  private let reader = DocumentReader()
  private let writer: DocumentWriter
  private let ledger: VersionLedger
  /// Transactions that WiredTiger rolled back and that were run again.
  private(set) var rollbacks = 0
  /// Nobody is rolled back that often but by a fault: with the pauses it takes ten seconds.
  private static let maximumAttempts = 10_000

  init(_ store: Store) throws(DatabaseError) {
    session = try store.database.openSession()
    collection = try session.openCursor(Collection.collectionURI, "overwrite=false")
    index = try session.openCursor(Collection.indexURI)
    writer = DocumentWriter(store.shape)
    ledger = store.ledger
  }

  /// Looks the document up as a client does, by its user key, and checks it.
  func read(_ recordID: Int64) throws(OperationFault) {
    try retrying { () throws(OperationFault) in
      defer { leaveRecord() }
      _ = try find(recordID, atLeast: ledger.atLeast(recordID))
    }
  }

  /// Writes the document's next version, with other text.
  func update(_ recordID: Int64) throws(OperationFault) {
    try retrying { () throws(OperationFault) in
      defer { leaveRecord() }
      var version: Int64 = 0
      // A transaction reads as of its beginning: what is committed after that is no lost update.
      let expected = ledger.atLeast(recordID)
      try session.transaction { () throws(OperationFault) in
        version = try find(recordID, atLeast: expected) + 1
        try writer.withDocument(recordID: recordID, version: version) {
          bytes throws(OperationFault) in
          try OperationFault.wrap { () throws(DatabaseError) in try collection.update(bytes) }
        }
      }
      ledger.committed(recordID, version)
    }
  }

  func close() {
    // What a failing close leaves is closed with the connection.
    try? session.close()
  }

  /// Index, collection, BSON, checksum.
  ///
  /// - Parameter expected: the version that was committed before anything was read.
  /// - Returns: The version that was found; the collection's cursor stands on the document.
  private func find(_ recordID: Int64, atLeast expected: Int64) throws(OperationFault) -> Int64 {
    let indexed = try OperationFault.wrap { () throws(DatabaseError) in
      try index.search(key: UserKey(recordID: recordID)) ? try index.valueID() : nil
    }
    guard let indexed else { throw .notInIndex }
    guard indexed == recordID else { throw .indexDisagrees }
    let isThere = try OperationFault.wrap { () throws(DatabaseError) in
      try collection.search(id: recordID)
    }
    guard isThere else { throw .notInCollection }
    let version = try collection.withValue { bytes throws(OperationFault) in
      do throws(DocumentFault) {
        return try reader.check(bytes, recordID: recordID)
      } catch {
        throw .document(error)
      }
    }
    guard version >= expected else { throw .document(.lostUpdate) }
    return version
  }

  private func retrying(_ body: () throws(OperationFault) -> Void) throws(OperationFault) {
    for _ in 1..<Client.maximumAttempts {
      do {
        return try body()
      } catch .database(let error) where error.isRollback {
        rollbacks += 1
        // The other transaction may be one whose thread is not running.
        MonotonicClock.sleep(until: MonotonicClock.now + 1_000_000)
      } catch {
        throw error
      }
    }
    try body()
  }

  /// A cursor that stands on a record would keep its page from being evicted.
  private func leaveRecord() {
    try? index.reset()
    try? collection.reset()
  }
}
