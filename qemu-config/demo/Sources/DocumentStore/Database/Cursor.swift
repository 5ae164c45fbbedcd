import CWiredTigerStore
import Glibc

/// A cursor on one table. Belongs to its session's thread. A cursor that stands on a record keeps that
/// record's page in the cache: ``reset()`` it when done.
@safe public final class Cursor {
  // `@safe`: used only while its session is open, by one thread.
  private let cursor: UnsafeMutablePointer<WT_CURSOR>
  private let uri: String

  init(_ cursor: UnsafeMutablePointer<WT_CURSOR>, uri: String) {
    unsafe self.cursor = cursor
    self.uri = uri
  }

  public func close() {
    // Fails only where the session is gone, and then there is nothing left to close.
    _ = unsafe cursor.pointee.close(cursor)
  }

  public func reset() throws(DatabaseError) {
    try DatabaseError.check(unsafe cursor.pointee.reset(cursor), "reset a cursor on \(uri)")
  }

  /// Moves to the next record; false after the last one.
  public func next() throws(DatabaseError) -> Bool {
    try found(unsafe cursor.pointee.next(cursor))
  }

  // MARK: Finding

  public func search(id: Int64) throws(DatabaseError) -> Bool {
    unsafe leafcutter_store_set_key_id(cursor, id)
    return try found(unsafe cursor.pointee.search(cursor))
  }

  public func search(key: UserKey) throws(DatabaseError) -> Bool {
    try unsafe key.withCString { text throws(DatabaseError) in
      unsafe leafcutter_store_set_key_string(cursor, text)
      return try found(unsafe cursor.pointee.search(cursor))
    }
  }

  public func search(key: String) throws(DatabaseError) -> Bool {
    let status = unsafe key.withCString { text in
      unsafe leafcutter_store_set_key_string(cursor, text)
      return unsafe cursor.pointee.search(cursor)
    }
    return try found(status)
  }

  /// Moves to the first record at or after the key; false where there is none.
  public func seek(id: Int64) throws(DatabaseError) -> Bool {
    unsafe leafcutter_store_set_key_id(cursor, id)
    return try seek()
  }

  public func seek(key: UserKey) throws(DatabaseError) -> Bool {
    try unsafe key.withCString { text throws(DatabaseError) in
      unsafe leafcutter_store_set_key_string(cursor, text)
      return try seek()
    }
  }

  private func seek() throws(DatabaseError) -> Bool {
    var exact: Int32 = 0
    guard try found(unsafe cursor.pointee.search_near(cursor, &exact)) else { return false }
    return exact < 0 ? try next() : true
  }

  private func found(_ status: Int32) throws(DatabaseError) -> Bool {
    if status == WT_NOTFOUND { return false }
    try DatabaseError.check(status, "read \(uri)")
    return true
  }

  // MARK: The record it stands on

  public func keyID() throws(DatabaseError) -> Int64 {
    var id: Int64 = 0
    try DatabaseError.check(unsafe leafcutter_store_get_key_id(cursor, &id), "read \(uri)")
    return id
  }

  public func valueID() throws(DatabaseError) -> Int64 {
    var id: Int64 = 0
    try DatabaseError.check(unsafe leafcutter_store_get_value_id(cursor, &id), "read \(uri)")
    return id
  }

  public func valueString() throws(DatabaseError) -> String {
    var text: UnsafePointer<CChar>?
    try DatabaseError.check(unsafe leafcutter_store_get_value_string(cursor, &text), "read \(uri)")
    // NUL-terminated and good until the cursor moves; it is copied here.
    return unsafe text.map { unsafe String(cString: $0) } ?? ""
  }

  /// Whether the record's key is this user key.
  public func keyEquals(_ key: UserKey) throws(DatabaseError) -> Bool {
    try compareKey(with: key) == 0
  }

  /// Negative, zero or positive like strcmp.
  private func compareKey(with key: UserKey) throws(DatabaseError) -> Int32 {
    var text: UnsafePointer<CChar>?
    try DatabaseError.check(unsafe leafcutter_store_get_key_string(cursor, &text), "read \(uri)")
    guard let text = unsafe text else { throw DatabaseError("read \(uri)", because: "no key") }
    // Both end in NUL; WiredTiger's is good until the cursor moves.
    return unsafe key.withCString { unsafe strcmp(text, $0) }
  }

  /// Whether the record's key sorts before this user key.
  public func keyPrecedes(_ key: UserKey) throws(DatabaseError) -> Bool {
    try compareKey(with: key) < 0
  }

  /// Lends the value's bytes for the duration of the call; the cursor must not be moved in it.
  public func withValue<Result>(
    _ body: (RawSpan) throws(OperationFault) -> Result
  ) throws(OperationFault) -> Result {
    var bytes: UnsafeRawPointer?
    var count = 0
    let status = unsafe leafcutter_store_get_value_bytes(cursor, &bytes, &count)
    guard status == 0 else { throw .database(DatabaseError("read \(uri)", code: status)) }
    // WiredTiger keeps the bytes as they are until the cursor moves.
    return try body(unsafe UnsafeRawBufferPointer(start: bytes, count: count).bytes)
  }

  // MARK: Writing

  public func insert(id: Int64, _ value: RawSpan) throws(DatabaseError) {
    unsafe leafcutter_store_set_key_id(cursor, id)
    let status = unsafe value.withUnsafeBytes { bytes in
      unsafe leafcutter_store_set_value_bytes(cursor, bytes.baseAddress, bytes.count)
      return unsafe cursor.pointee.insert(cursor)
    }
    try DatabaseError.check(status, "write \(uri)")
  }

  public func insert(key: UserKey, id: Int64) throws(DatabaseError) {
    let status = unsafe key.withCString { text in
      unsafe leafcutter_store_set_key_string(cursor, text)
      unsafe leafcutter_store_set_value_id(cursor, id)
      return unsafe cursor.pointee.insert(cursor)
    }
    try DatabaseError.check(status, "write \(uri)")
  }

  /// Replaces the value of the record the cursor stands on.
  public func update(_ value: RawSpan) throws(DatabaseError) {
    let status = unsafe value.withUnsafeBytes { bytes in
      unsafe leafcutter_store_set_value_bytes(cursor, bytes.baseAddress, bytes.count)
      return unsafe cursor.pointee.update(cursor)
    }
    try DatabaseError.check(status, "write \(uri)")
  }

  public func remove(id: Int64) throws(DatabaseError) {
    unsafe leafcutter_store_set_key_id(cursor, id)
    try DatabaseError.check(unsafe cursor.pointee.remove(cursor), "remove from \(uri)")
  }

  func statistic(_ key: Int32) throws(DatabaseError) -> Int64 {
    unsafe leafcutter_store_set_key_number(cursor, key)
    guard try found(unsafe cursor.pointee.search(cursor)) else { return 0 }
    var value: Int64 = 0
    try DatabaseError.check(unsafe leafcutter_store_get_statistic(cursor, &value), "read \(uri)")
    return value
  }
}
