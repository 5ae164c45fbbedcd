import CWiredTigerStore

/// An open WiredTiger connection. Any thread may open a session; each session belongs to one thread.
@safe public final class Database: @unchecked Sendable {
  // `@unchecked` and `@safe`: WiredTiger's connection may be used by many threads at once, and it is
  // closed by the owner after the threads that have sessions are gone.
  private let connection: UnsafeMutablePointer<WT_CONNECTION>
  public let home: String

  /// Opens the database in `home`; where its journal is ahead of its tables, WiredTiger recovers it.
  ///
  /// - Throws: ``DatabaseError``, e.g. where another process has it open.
  public init(_ home: String, _ options: DatabaseOptions) throws(DatabaseError) {
    var opened: UnsafeMutablePointer<WT_CONNECTION>?
    let action = "open the database in \(home)"
    if options.honoursEnvironment {
      try ExtensionsInEnvironment.keep(options.snappy)
    }
    // The strings are alive during the call, and the result is written to a local.
    try DatabaseError.check(
      unsafe wiredtiger_open(home, nil, options.configuration, &opened), action)
    guard let opened = unsafe opened else { throw DatabaseError(action, because: "no connection") }
    unsafe connection = opened
    self.home = home
  }

  public func openSession() throws(DatabaseError) -> Session {
    var opened: UnsafeMutablePointer<WT_SESSION>?
    // The connection is open while this object is in use; the result is written to a local.
    try DatabaseError.check(
      unsafe connection.pointee.open_session(connection, nil, nil, &opened), "open a session")
    guard let opened = unsafe opened else {
      throw DatabaseError("open a session", because: "no session")
    }
    return unsafe Session(opened)
  }

  /// Changes settings of the open database, by `wiredtiger_open`'s names.
  public func reconfigure(_ configuration: String) throws(DatabaseError) {
    // The string is alive during the call.
    try DatabaseError.check(
      unsafe connection.pointee.reconfigure(connection, configuration),
      "reconfigure the database with \(configuration)")
  }

  /// Closes the connection with all its sessions. Nothing of it may be used afterwards.
  public func close() throws(DatabaseError) {
    try DatabaseError.check(
      unsafe connection.pointee.close(connection, nil), "close the database in \(home)")
  }
}
