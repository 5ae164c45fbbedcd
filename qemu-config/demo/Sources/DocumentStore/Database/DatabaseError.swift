import CWiredTigerStore

/// A call of WiredTiger that failed, or a database that is not one of this store.
public struct DatabaseError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was being done, e.g. "open the database in /data".
  public let action: String
  /// WiredTiger's code (`WT_ROLLBACK`, `WT_NOTFOUND`, …) or an errno value.
  public let code: Int32
  public let text: String

  init(_ action: String, code: Int32) {
    self.action = action
    self.code = code
    // wiredtiger_strerror gives static text for every code.
    text = unsafe String(cString: wiredtiger_strerror(code))
  }

  init(_ action: String, because text: String) {
    self.action = action
    code = 0
    self.text = text
  }

  public var description: String { "cannot \(action): \(text)" }

  var isRollback: Bool { code == WT_ROLLBACK }

  static func check(_ status: Int32, _ action: @autoclosure () -> String) throws(DatabaseError) {
    guard status == 0 else { throw DatabaseError(action(), code: status) }
  }
}
