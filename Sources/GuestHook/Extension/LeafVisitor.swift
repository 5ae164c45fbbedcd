import CExtensionShims
import Glibc
import LeafManifest

/// One thread's way to leaves by their separator keys: a session, and a cursor on the table it is at.
final class LeafVisitor {
  private let session: Session
  private let cursors: String
  /// Of a visitor that reads nothing.
  private let probe: (hold: HoldLibrary, home: String)?
  private var uri = ""
  private var cursor: Cursor?
  private var file: UnreadFile?

  /// One that reads the leaves that are not in the cache.
  init(reading engine: Engine) throws(EngineError) {
    cursors = "raw"
    probe = nil
    session = try engine.openSession("isolation=read-uncommitted")
  }

  /// One that reads no leaf, and so tells which are in the cache.
  ///
  /// Its session stays out of eviction (`ignore_cache_size`): a thread that helped to evict would do so with
  /// its reads refused, and one that waited for room could wait for ever.
  ///
  /// - Parameters:
  ///   - home: the database's directory.
  ///   - cursors: their configuration, beside `raw`.
  init(
    _ engine: Engine, probing hold: HoldLibrary, home: String, cursors: String = ""
  ) throws(EngineError) {
    self.cursors = "raw," + cursors
    probe = (hold, home)
    session = try engine.openSession(
      "isolation=read-uncommitted,ignore_cache_size=true", expectingErrors: true)
  }

  /// Goes to a table; false where it cannot be opened now: it was dropped, or another session has it
  /// exclusively.
  func moves(to uri: String) -> Bool {
    if uri != self.uri {
      letGo()
      cursor = try? session.openCursor(uri, cursors)
      self.uri = uri
      if let probe {
        file = FileIdentity(path: TableCatalog.path(of: uri, in: probe.home)).map(probe.hold.unread)
        if file == nil { cursor = nil }
      }
    }
    return cursor != nil
  }

  /// Has no table open any more: nobody is refused one (EBUSY) because of a visitor that waits.
  func letGo() {
    cursor = nil
    file = nil
    uri = ""
  }

  /// Visits leaves of the table that it has moved to.
  ///
  /// - Parameter body: is told of each in turn whether its page was found or read.
  func visit(_ leaves: LeafList, _ range: Range<Int>, _ body: (Bool) -> Void) {
    unsafe leaves.keyBytes.withUnsafeBytes { keys in
      for leaf in range {
        // Key ranges lie within the key bytes, which are alive during the call.
        let key = unsafe UnsafeRawBufferPointer(rebasing: keys[leaves.keyRange(leaf)])
        body(unsafe visit(key) == 0)
      }
    }
  }

  /// The same.
  ///
  /// - Returns: how many were found or read.
  func count(_ leaves: LeafList, _ range: Range<Int>) -> Int {
    var count = 0
    visit(leaves, range) { if $0 { count += 1 } }
    return count
  }

  /// See ``Cursor/visit(_:withoutReading:)``. Only after ``moves(to:)``.
  func visit(_ key: UnsafeRawBufferPointer) -> Int32 {
    unsafe cursor?.visit(key, withoutReading: file) ?? ENOENT
  }
}

extension [LeafManifest.Table] {
  /// Leaves of one table, neighbours in its list.
  typealias Batch = (table: Int, leaves: Range<Int>)

  /// All leaves, so many at a time.
  func batches(of size: Int) -> [Batch] {
    indices.flatMap { table in
      let count = self[table].leaves.count
      return stride(from: 0, to: count, by: size).map { (table, $0..<Swift.min($0 + size, count)) }
    }
  }
}
