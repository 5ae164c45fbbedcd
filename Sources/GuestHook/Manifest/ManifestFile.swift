import Checksum
import Glibc

extension LeafManifest {
  /// Writes the manifest into a database's home directory: under a temporary name, to the disk, and
  /// then renamed, so that there is always a whole one or none.
  ///
  /// - Parameters:
  ///   - home: the directory's path.
  ///   - limit: bytes that a reader takes.
  /// - Throws: ``ManifestError/unreadable(what:)``, too, of what no reader would take: the manifest that is
  ///   there stays.
  public func write(
    toHome home: String, limit: Int = ManifestFormat.maximumLength
  ) throws(ManifestError) {
    let path = home + "/" + LeafManifest.fileName
    let temporary = path + ".new"
    try ManifestFormat.expectReadable(self, limit: limit)
    try LeafManifest.expectRoom(for: ManifestFormat.encodedSize(of: self), in: home)
    let bytes = ManifestFormat.encode(self)
    // The paths of this function are zero-terminated for the time of each call.
    let file = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw failure("create", temporary) }
    do throws(ManifestError) {
      defer { close(file) }
      var written = 0
      while written < bytes.count {
        let count = unsafe bytes.withUnsafeBytes {
          // The rest of the array, which is alive during the call.
          unsafe Glibc.write(file, $0.baseAddress! + written, $0.count - written)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw failure("write", temporary) }
        written += count
      }
      guard fsync(file) == 0 else { throw failure("write to disk", temporary) }
      guard unsafe rename(temporary, path) == 0 else { throw failure("replace", path) }
    } catch {
      unsafe unlink(temporary)
      throw error
    }
    let directory = unsafe open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure("open", home) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw failure("write to disk", home) }
  }

  /// Left on the file system: an engine that finds none for its log may end the database.
  private static let reserve = 16 << 20

  /// - Throws: where so many bytes would take what the database itself may need next.
  private static func expectRoom(for bytes: Int, in home: String) throws(ManifestError) {
    guard let free = freeBytes(onFileSystemOf: home), free < UInt64(bytes + reserve) else { return }
    throw ManifestError.system(
      action: "write", path: home + "/" + fileName, code: ENOSPC,
      text: "it would take \(bytes >> 20) of the \(free >> 20) MiB that the file system has free")
  }

  /// Reads the manifest in a database's home directory.
  ///
  /// - Throws: ``ManifestError/missing(path:)`` where there is none, and what
  ///   ``ManifestFormat/decode(_:)`` says of it. Whether it is this database's is the caller's
  ///   question.
  public static func read(fromHome home: String) throws(ManifestError) -> LeafManifest {
    let path = home + "/" + fileName
    guard let bytes = try contents(of: path, limit: ManifestFormat.maximumLength) else {
      throw .missing(path: path)
    }
    return try ManifestFormat.decode(bytes)
  }
}

extension DatabaseIdentity {
  /// The identity of the database in a home directory.
  public static func read(fromHome home: String) throws(ManifestError) -> DatabaseIdentity {
    let path = home + "/WiredTiger"
    guard let bytes = try contents(of: path, limit: 4096) else {
      throw .system(
        action: "identify the database by", path: path, code: ENOENT,
        text: "there is no such file")
    }
    var status = stat()
    // A structure of our own, alive during the call.
    guard unsafe stat(path, &status) == 0 else { throw failure("identify the database by", path) }
    let seconds = UInt64(truncatingIfNeeded: status.st_mtim.tv_sec)
    let nanoseconds = UInt64(truncatingIfNeeded: status.st_mtim.tv_nsec)
    return DatabaseIdentity(
      created: seconds &* 1_000_000_000 &+ nanoseconds,
      content: CRC32C.checksum(of: bytes[...]))
  }
}

/// The whole content of a regular file, or nil where there is none.
private func contents(of path: String, limit: Int) throws(ManifestError) -> [UInt8]? {
  // O_NONBLOCK: a pipe in its place must not make anybody wait.
  let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard file >= 0 else {
    if errno == ENOENT { return nil }
    throw failure("open", path)
  }
  defer { close(file) }
  var status = stat()
  // A structure of our own, alive during the call.
  guard unsafe fstat(file, &status) == 0 else { throw failure("read", path) }
  guard status.st_mode & S_IFMT == S_IFREG else { throw .notAManifest }
  guard status.st_size <= limit else { throw .damaged(what: "\(path) is too long") }
  var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
  var position = 0
  while position < bytes.count {
    let count = unsafe bytes.withUnsafeMutableBytes {
      // The rest of the array, which is alive during the call.
      unsafe Glibc.read(file, $0.baseAddress! + position, $0.count - position)
    }
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw failure("read", path) }
    // Shorter than it was: what is missing fails the checks.
    if count == 0 { break }
    position += count
  }
  bytes.removeLast(bytes.count - position)
  return bytes
}

private func failure(_ action: String, _ path: String) -> ManifestError {
  let code = errno
  // strerror's buffer is per thread in glibc since 2.32.
  return .system(
    action: action, path: path, code: code, text: unsafe String(cString: strerror(code)))
}
