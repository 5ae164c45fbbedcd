import CWiredTigerStore

/// A WiredTiger session. Belongs to one thread; the database's `close` closes it.
@safe public final class Session {
  // `@safe`: used only while the database is open, by one thread.
  private let session: UnsafeMutablePointer<WT_SESSION>

  init(_ session: UnsafeMutablePointer<WT_SESSION>) { unsafe self.session = session }

  public func close() throws(DatabaseError) {
    try DatabaseError.check(unsafe session.pointee.close(session, nil), "close a session")
  }

  public func create(_ uri: String, _ configuration: String) throws(DatabaseError) {
    try DatabaseError.check(
      unsafe session.pointee.create(session, uri, configuration), "create \(uri)")
  }

  public func openCursor(_ uri: String, _ configuration: String? = nil) throws(DatabaseError)
    -> Cursor
  {
    var opened: UnsafeMutablePointer<WT_CURSOR>?
    // The strings are alive during the call, and the result is written to a local.
    try DatabaseError.check(
      unsafe session.pointee.open_cursor(session, uri, nil, configuration, &opened), "open \(uri)")
    guard let opened = unsafe opened else {
      throw DatabaseError("open \(uri)", because: "no cursor")
    }
    return unsafe Cursor(opened, uri: uri)
  }

  /// Runs `body` as one transaction: committed when it returns, rolled back when it throws.
  public func transaction(
    _ body: () throws(OperationFault) -> Void
  ) throws(OperationFault) {
    do {
      try DatabaseError.check(
        unsafe session.pointee.begin_transaction(session, "isolation=snapshot"), "begin")
    } catch { throw .database(error) }
    do {
      try body()
    } catch {
      // Whatever the rollback says, the fault that led to it is the one to report.
      _ = unsafe session.pointee.rollback_transaction(session, nil)
      throw error
    }
    do {
      try DatabaseError.check(unsafe session.pointee.commit_transaction(session, nil), "commit")
    } catch { throw .database(error) }
  }

  public func checkpoint() throws(DatabaseError) {
    try DatabaseError.check(unsafe session.pointee.checkpoint(session, nil), "take a checkpoint")
  }

  /// Lets WiredTiger check the blocks and the tree of a table that nobody has open.
  public func verify(_ uri: String) throws(DatabaseError) {
    try DatabaseError.check(unsafe session.pointee.verify(session, uri, nil), "verify \(uri)")
  }

  /// A number of `statistics:`, by the key that wiredtiger.h gives it.
  public func statistic(_ key: Int32) throws(DatabaseError) -> Int64 {
    let cursor = try openCursor("statistics:")
    defer { cursor.close() }
    return try cursor.statistic(key)
  }
}
