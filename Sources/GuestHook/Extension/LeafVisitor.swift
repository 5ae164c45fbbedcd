import CExtensionShims
import Glibc

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
    session = try engine.openSession("isolation=read-uncommitted,ignore_cache_size=true")
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

  /// See ``Cursor/visit(_:withoutReading:)``. Only after ``moves(to:)``.
  func visit(_ key: UnsafeRawBufferPointer) -> Int32 {
    unsafe cursor?.visit(key, withoutReading: file) ?? ENOENT
  }
}
