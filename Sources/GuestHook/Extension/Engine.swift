import CExtensionShims
import Glibc

/// A call into the engine that did not succeed.
struct EngineError: Error, CustomStringConvertible {
  var action: String
  /// An errno value, or one of WiredTiger's own, which are negative.
  var code: Int32

  var description: String {
    // strerror's buffer is per thread in glibc since 2.32.
    code > 0
      ? "cannot \(action): \(unsafe String(cString: strerror(code)))"
      : "cannot \(action): WiredTiger's error \(code)"
  }
}

/// Why an engine's tables are not used.
struct UnknownEngine: Error, CustomStringConvertible {
  var version: String

  var description: String {
    """
    the function tables of '\(version)' are not known to this release of Leafcutter, and its methods do not \
    tell where they are; so this database is left alone. Use WiredTiger 3.2.1 or 11.3.1, or a release of \
    Leafcutter that knows this engine
    """
  }
}

/// A WT_CONNECTION, called through the words of its function table.
@safe final class Engine: @unchecked Sendable {
  // `@unchecked` and `@safe`: the pointer is only handed to the engine, whose connection methods may
  // be called by any thread, and is valid until the connection closes; the agent ends its use before.
  let connection: UnsafeMutableRawPointer
  /// The connection's table.
  let table: EngineLayout.Table
  /// The release whose layout its tables are, or ``EngineLayout/own``.
  let layout: String
  /// What the engine calls itself.
  let version: String
  /// nil where there has not been a handle yet to read them from.
  private let handles: Locked<EngineLayout.Handles>
  /// One has been opened that has another shape than the engine's, and cannot be closed: no more of them, or the
  /// program's would have no room.
  private let sessionsAreUnreadable = Locked(false)
  let statisticsUsers = Locked(StatisticsInUse.Users())
  let rollbackGate = RollbackGate()

  /// Which of the known tables its handles have, for the tests.
  var handleTables: EngineLayout.Handles { handles.withLock { $0 } }

  /// - Parameter layouts: what its tables are compared with before they are read.
  /// - Throws: ``UnknownEngine`` where no layout passes its tests and the methods do not tell theirs; nothing
  ///   has been called then.
  init(
    connection: UnsafeMutableRawPointer, layouts: [EngineLayout] = EngineLayout.known
  ) throws(UnknownEngine) {
    unsafe self.connection = unsafe connection
    // The first word is a method in every release. The version function takes no handle.
    let reference = unsafe leafcutter_slot(connection, 0)
    let text = unsafe leafcutter_engine_version(reference)
    let name = unsafe text.map { unsafe String(cString: $0) } ?? "an engine without a version"
    let known = layouts.first { unsafe $0.connection.matches(connection) }
    guard let table = unsafe known?.connection ?? EngineLayout.Table(connection: connection) else {
      throw UnknownEngine(version: name)
    }
    self.table = table
    layout = known?.name ?? EngineLayout.own
    handles = Locked(EngineLayout.Handles(session: known?.session, cursor: known?.cursor))
    version = name
  }

  /// The table of a session; nil where that is not what the engine's sessions have.
  private func table(ofSession handle: UnsafeMutableRawPointer) -> EngineLayout.Table? {
    if let table = handles.withLock({ $0.session }) {
      return unsafe table.matches(handle) ? table : nil
    }
    let table = unsafe EngineLayout.Table(session: handle)
    handles.withLock { $0.session = table }
    return table
  }

  /// The table of the engine's cursors.
  ///
  /// - Parameter open: opens a cursor on `metadata:`, from which it is read where nobody knows it.
  fileprivate func cursorTable(
    _ open: () throws(EngineError) -> UnsafeMutableRawPointer
  ) throws(EngineError) -> EngineLayout.Table {
    if let table = handles.withLock({ $0.cursor }) { return table }
    let handle = unsafe try open()
    guard let table = unsafe EngineLayout.Table(cursor: handle) else {
      // It is closed with its session.
      throw EngineError(action: "use the engine's cursors", code: ENOSYS)
    }
    handles.withLock { $0.cursor = table }
    unsafe closeCursor(handle, table)
    return table
  }

  /// The database's directory as the program named it.
  var home: String {
    typealias GetHome = @convention(c) (UnsafeMutableRawPointer) -> UnsafePointer<CChar>?
    let text = unsafe method(connection, table, .home, as: GetHome.self)(connection)
    return unsafe text.map { unsafe String(cString: $0) } ?? "."
  }

  /// Changes settings of the connection.
  func reconfigure(_ configuration: String) throws(EngineError) {
    do throws(EngineError) {
      try reconfigureExactly(configuration)
    } catch  where error.code == EINVAL {
      // 3.2.1 refuses a database that was opened with `log=(enabled)`, without a value, any change that does
      // not name the log.
      try reconfigureExactly(configuration + ",log=(enabled=true)")
    }
  }

  private func reconfigureExactly(_ configuration: String) throws(EngineError) {
    typealias Reconfigure =
      @convention(c) (UnsafeMutableRawPointer, UnsafePointer<CChar>) -> Int32
    let code = unsafe method(
      connection, table, .reconfigure, as: Reconfigure.self)(connection, configuration)
    guard code == 0 else { throw EngineError(action: "reconfigure \(configuration)", code: code) }
  }

  private static let unreadableSessions = EngineError(
    action: """
      use the engine's sessions, whose methods do not tell where they are (use WiredTiger 3.2.1 or 11.3.1, or a \
      release of Leafcutter that knows this engine)
      """, code: ENOSYS)

  /// Whether all of the engine can be used: from 11 on a program may have sessions for statistics while
  /// `wiredtiger_open` still recovers (WT_EVENT_CONN_READY), and until then every other cursor is refused
  /// (`__session_open_cursor`, src/session/session_api.c).
  ///
  /// - Parameter openSession: the engine's own.
  func isOpen(_ openSession: OpenSession) -> Bool {
    do throws(EngineError) {
      return try unsafe self.openSession("", expectingErrors: true, openSession).opens("metadata:")
    } catch {
      // Without a session of ours nothing is used; without one that can be read, nothing ever.
      return sessionsAreUnreadable.withLock { $0 }
    }
  }

  /// Opens a session. What the engine has to say of it, such as which block of which file is damaged, it says to
  /// the program's own event handler.
  ///
  /// - Parameter expectingErrors: it is used for what may be refused, which is no news to anybody.
  func openSession(
    _ configuration: String, expectingErrors: Bool = false
  ) throws(EngineError) -> Session {
    try unsafe openSession(
      configuration, expectingErrors: expectingErrors,
      method(connection, table, .openSession, as: OpenSession.self))
  }

  private func openSession(
    _ configuration: String, expectingErrors: Bool, _ openSession: OpenSession
  ) throws(EngineError) -> Session {
    guard !sessionsAreUnreadable.withLock({ $0 }) else { throw Engine.unreadableSessions }
    var handle: UnsafeMutableRawPointer?
    // The handler is static, or nil for the connection's.
    let handler = unsafe expectingErrors ? leafcutter_quiet_handler() : nil
    let code = unsafe openSession(connection, handler, configuration, &handle)
    guard code == 0, let handle = unsafe handle else {
      throw EngineError(action: "open a session", code: code)
    }
    guard let table = unsafe table(ofSession: handle) else {
      sessionsAreUnreadable.withLock { $0 = true }
      throw Engine.unreadableSessions
    }
    return unsafe Session(handle, of: self, table: table)
  }
}

/// A WT_SESSION; one thread uses it.
@safe final class Session {
  private let handle: UnsafeMutableRawPointer
  let engine: Engine
  private let table: EngineLayout.Table

  /// - Parameter table: the handle's own.
  init(_ handle: UnsafeMutableRawPointer, of engine: Engine, table: EngineLayout.Table) {
    unsafe self.handle = unsafe handle
    self.engine = engine
    self.table = table
  }

  deinit {
    typealias Close = @convention(c) (UnsafeMutableRawPointer, UnsafePointer<CChar>?) -> Int32
    _ = unsafe method(handle, table, .close, as: Close.self)(handle, nil)
  }

  /// Takes one where there is anything to write: a database that is only read refuses it (ENOTSUP). One in
  /// memory does too, and all that it has is dirty.
  func checkpoint() throws(EngineError) {
    typealias Checkpoint = @convention(c) (UnsafeMutableRawPointer, UnsafePointer<CChar>?) -> Int32
    let code = engine.rollbackGate.checkpoint {
      unsafe method(handle, table, .checkpoint, as: Checkpoint.self)(handle, nil)
    }
    if code == ENOTSUP, (try? engine.cacheUsageAnyway().dirty) == 0 { return }
    guard code == 0 else { throw EngineError(action: "take a checkpoint", code: code) }
  }

  /// Whether a cursor is to be had; it is closed with the session.
  func opens(_ uri: String) -> Bool {
    if case .success = unsafe openHandle(uri, "") { true } else { false }
  }

  func openCursor(_ uri: String, _ configuration: String) throws(EngineError) -> Cursor {
    let cursorTable = try unsafe engine.cursorTable { () throws(EngineError) in
      unsafe try openHandle("metadata:", "").get()
    }
    let isTable = uri.hasPrefix("file:")
    // A table that is not open is looked up in the metadata first, with a cursor of the engine's own.
    let opened =
      unsafe isTable
      ? engine.rollbackGate.pass { unsafe openHandle(uri, configuration) }
      : openHandle(uri, configuration)
    let cursor = unsafe try opened.get()
    // Only a table can be searched; the other cursors have something else in that place.
    let other: Set<EngineLayout.Method> = isTable ? [] : [.searchNear]
    guard unsafe cursorTable.matches(cursor, except: other) else {
      throw EngineError(action: "use the cursor of \(uri)", code: ENOSYS)
    }
    return unsafe Cursor(cursor, session: self, table: cursorTable)
  }

  private func openHandle(
    _ uri: String, _ configuration: String
  ) -> Result<UnsafeMutableRawPointer, EngineError> {
    typealias OpenCursor =
      @convention(c) (
        UnsafeMutableRawPointer, UnsafePointer<CChar>, UnsafeMutableRawPointer?,
        UnsafePointer<CChar>, UnsafeMutablePointer<UnsafeMutableRawPointer?>
      ) -> Int32
    var cursor: UnsafeMutableRawPointer?
    let code = unsafe method(handle, table, .openCursor, as: OpenCursor.self)(
      handle, uri, nil, configuration, &cursor)
    guard code == 0, let cursor = unsafe cursor else {
      return unsafe .failure(EngineError(action: "open \(uri)", code: code))
    }
    return unsafe .success(cursor)
  }
}

/// A WT_CURSOR; one thread uses it, and it keeps its session.
@safe final class Cursor {
  // The same in every release of wiredtiger.h.
  static let notFound: Int32 = -31803
  private static let prepareConflict: Int32 = -31808

  private let handle: UnsafeMutableRawPointer
  private let session: Session
  private let table: EngineLayout.Table
  private let setKey: UnsafeMutableRawPointer
  private let searchNear: UnsafeMutableRawPointer
  private let reset: UnsafeMutableRawPointer

  init(_ handle: UnsafeMutableRawPointer, session: Session, table: EngineLayout.Table) {
    unsafe self.handle = unsafe handle
    self.session = session
    self.table = table
    unsafe setKey = unsafe word(handle, table, .setKey)
    unsafe searchNear = unsafe word(handle, table, .searchNear)
    unsafe reset = unsafe word(handle, table, .reset)
  }

  deinit { unsafe closeCursor(handle, table) }

  /// Searches for a raw key and lets go of what was found.
  ///
  /// - Parameter file: the table's own; this thread's reads of it are refused during the search, so that only
  ///   what is in the cache is found. nil reads what is not.
  /// - Returns: 0 where a page was found, ENODATA where it would have had to be read, or an error.
  func visit(_ key: UnsafeRawBufferPointer, withoutReading file: UnreadFile?) -> Int32 {
    var code = session.engine.rollbackGate.pass {
      if key.count > 0 {
        return unsafe leafcutter_visit(
          setKey, searchNear, reset, file?.refuse, file?.identity ?? .init(), handle,
          key.baseAddress, key.count)
      }
      // An empty key is the leftmost leaf's; a byte of zero is not below any other key but it.
      var zero: UInt8 = 0
      return unsafe leafcutter_visit(
        setKey, searchNear, reset, file?.refuse, file?.identity ?? .init(), handle, &zero, 1)
    }
    // Of a record that belongs to a prepared transaction, on a page that is there.
    if code == Cursor.prepareConflict { code = 0 }
    return code
  }

  /// Moves to the next record; false at the end.
  func next() throws(EngineError) -> Bool {
    typealias Next = @convention(c) (UnsafeMutableRawPointer) -> Int32
    let code = unsafe method(handle, table, .next, as: Next.self)(handle)
    guard code == 0 || code == Cursor.notFound else {
      throw EngineError(action: "read the next record", code: code)
    }
    return code == 0
  }

  /// Key and value of a cursor on `metadata:`.
  func texts() throws(EngineError) -> (key: String, value: String) {
    var key: UnsafePointer<CChar>?
    var value: UnsafePointer<CChar>?
    let code = unsafe leafcutter_get_texts(
      word(handle, table, .key), word(handle, table, .value), handle, &key, &value)
    guard code == 0, let key = unsafe key, let value = unsafe value else {
      throw EngineError(action: "read the metadata", code: code)
    }
    // Both stay the engine's until the cursor moves; they are copied here.
    return unsafe (String(cString: key), String(cString: value))
  }

  /// Description and value of a cursor on `statistics:`.
  func statistic() throws(EngineError) -> (description: String, value: UInt64) {
    var description: UnsafePointer<CChar>?
    var value: UInt64 = 0
    let code = unsafe leafcutter_get_statistic(
      word(handle, table, .value), handle, &description, &value)
    guard code == 0, let description = unsafe description else {
      throw EngineError(action: "read the statistics", code: code)
    }
    return unsafe (String(cString: description), value)
  }
}

private func closeCursor(_ handle: UnsafeMutableRawPointer, _ table: EngineLayout.Table) {
  typealias Close = @convention(c) (UnsafeMutableRawPointer) -> Int32
  _ = unsafe method(handle, table, .close, as: Close.self)(handle)
}

private func word(
  _ handle: UnsafeMutableRawPointer, _ table: EngineLayout.Table, _ method: EngineLayout.Method
) -> UnsafeMutableRawPointer {
  guard let slot = table.slots[method], let function = unsafe leafcutter_slot(handle, slot) else {
    preconditionFailure("a table names every method that is used, and was tested for them all")
  }
  return unsafe function
}

/// A method as a function. The table was tested before, and the types are those of wiredtiger.h.
private func method<Function>(
  _ handle: UnsafeMutableRawPointer, _ table: EngineLayout.Table, _ method: EngineLayout.Method,
  as type: Function.Type
) -> Function {
  unsafe unsafeBitCast(word(handle, table, method), to: type)
}
