import Glibc
import Synchronization

/// Fills the caches: the kernel's by reading the table files, WiredTiger's by touching every record.
public struct Warmer: Sendable {
  /// What a warming read.
  public struct Result: Equatable, Sendable {
    public var documents = 0
    public var indexEntries = 0
    public var fileBytes = 0
  }

  private static let threads = 2
  private let store: Store
  private let stop: StopFlag

  public init(_ store: Store, stop: StopFlag) {
    self.store = store
    self.stop = stop
  }

  /// Reads the files, where the page cache is in use, and then both tables.
  ///
  /// - Throws: ``OperationFault`` or ``SystemError``.
  public func warm(files: Bool) throws -> Result {
    var result = Result()
    // The files first: their large reads spare the tables' scans one small read for each leaf.
    if files {
      for path in try HomeDirectory.tableFiles(store.database.home) {
        result.fileBytes += try readFile(path)
      }
    }
    // The small table first: what is touched last is evicted last.
    result.indexEntries = try count(Collection.indexURI)
    result.documents = try count(Collection.collectionURI)
    return result
  }

  private func count(_ uri: String) throws(OperationFault) -> Int {
    let counts = inParallel("warm", Warmer.threads) { part -> Swift.Result<Int, OperationFault> in
      let range = ScanRange(part: part, parts: Warmer.threads)
      do throws(DatabaseError) {
        return .success(try scan(uri, range))
      } catch {
        return .failure(.database(error))
      }
    }
    var sum = 0
    for count in counts { sum += try count.get() }
    return sum
  }

  /// Moves over the records without looking at them, which reads and keeps their leaves.
  private func scan(_ uri: String, _ range: ScanRange) throws(DatabaseError) -> Int {
    let session = try store.database.openSession()
    let cursor = try session.openCursor(uri)
    var touched = 0
    if uri == Collection.collectionURI {
      guard let ids = range.ids(store.shape.documents) else { return 0 }
      var more = try cursor.seek(id: ids.lowerBound)
      while more, touched < ids.count, !stop.isSet {
        touched += 1
        more = try cursor.next()
      }
    } else {
      let hashes = range.hashes
      let end = hashes.before.map { UserKey(hash: $0) }
      var more = try cursor.seek(key: UserKey(hash: hashes.from))
      while more, !stop.isSet {
        if let end, try !cursor.keyPrecedes(end) { break }
        touched += 1
        more = try cursor.next()
      }
    }
    try session.close()
    return touched
  }

  private func readFile(_ path: String) throws(SystemError) -> Int {
    // The path is a string, and the buffer is written to for at most its size, during the calls.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(path)") }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var offset = 0
    while !stop.isSet {
      let count = unsafe pread(descriptor, &buffer, buffer.count, off_t(offset))
      if count == 0 { break }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw SystemError("read \(path)")
      }
      offset += count
    }
    return offset
  }
}
