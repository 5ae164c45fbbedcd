import Glibc

/// Checks a document against what its version was written with. Belongs to one thread.
final class DocumentChecker {
  private let reader = DocumentReader()
  private let writer: DocumentWriter
  private let ledger: VersionLedger
  private let client: Client

  init(_ store: Store) throws(DatabaseError) {
    writer = DocumentWriter(store.shape)
    ledger = store.ledger
    client = try Client(store)
  }

  func close() { client.close() }

  /// What is wrong with the document on which the cursor stands, or nil.
  func fault(of cursor: Cursor, _ recordID: Int64) -> OperationFault? {
    do throws(OperationFault) {
      var version: Int64 = 0
      try cursor.withValue { bytes throws(OperationFault) in
        do throws(DocumentFault) {
          version = try reader.check(bytes, recordID: recordID)
        } catch {
          throw .document(error)
        }
        let isSame = writer.withDocument(recordID: recordID, version: version) { written in
          equal(bytes, written)
        }
        guard isSame else { throw .document(.content) }
      }
      // A cursor under way reads as of when it was placed, so an older version is only a suspicion: a
      // client that looks now must find the newer one.
      if version < ledger.atLeast(recordID) { try client.read(recordID) }
      return nil
    } catch {
      return error
    }
  }

  private func equal(_ left: RawSpan, _ right: RawSpan) -> Bool {
    guard left.byteCount == right.byteCount else { return false }
    // Both are at least that long, and alive during the call.
    return unsafe left.withUnsafeBytes { leftBytes in
      unsafe right.withUnsafeBytes { rightBytes in
        unsafe memcmp(leftBytes.baseAddress!, rightBytes.baseAddress!, leftBytes.count) == 0
      }
    }
  }
}
