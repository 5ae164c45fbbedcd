import CExtensionShims
import Glibc

/// One table's file, opened for reading.
final class TableFile: Sendable {
  private let allocationSize: UInt64
  private let descriptor: Int32

  /// nil where it cannot be opened.
  init?(home: String, table: TableCatalog.Table) {
    allocationSize = table.allocationSize
    // The path is zero-terminated for the time of the call.
    descriptor = unsafe open(table.path(in: home), O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  /// Calls `body` for every child of an internal page in key order.
  ///
  /// - Parameters:
  ///   - separator: the page's own, which is its first child's too.
  ///   - body: takes a child and its separator key.
  /// - Returns: children left out; see ``InternalPage/forEachChild(allocationSize:_:)``.
  func forEachChild(
    of address: BlockAddress, separator: ArraySlice<UInt8>,
    _ body: (InternalPage.Child, ArraySlice<UInt8>) throws(InternalPage.Problem) -> Void
  ) throws(InternalPage.Problem) -> Int {
    let page = try InternalPage(block: read(address), address: address)
    return try page.forEachChild(allocationSize: allocationSize) {
      (child) throws(InternalPage.Problem) in
      try body(child, child.key.map { page.bytes($0) } ?? separator)
    }
  }

  private func read(_ address: BlockAddress) throws(InternalPage.Problem) -> [UInt8] {
    let size = Int(address.size)
    guard let offset = off_t(exactly: address.offset) else { throw .unsupported }
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      // At most as many bytes as there is room for.
      unsafe count = max(0, pread(descriptor, buffer.baseAddress!, size, offset))
    }
  }
}

extension TableCatalog {
  /// Where a table's file is.
  static func path(of uri: String, in home: String) -> String {
    home + "/" + uri.dropFirst("file:".count)
  }
}

extension TableCatalog.Table {
  /// Where its file is.
  func path(in home: String) -> String { TableCatalog.path(of: uri, in: home) }
}

/// Which file it is, whatever its path.
struct FileIdentity: Hashable {
  var device: UInt64
  var inode: UInt64

  /// nil where there is no file with that path.
  init?(path: String) {
    var about = stat()
    // The path is zero-terminated, and the structure alive, during the call.
    guard unsafe stat(path, &about) == 0 else { return nil }
    (device, inode) = (UInt64(about.st_dev), UInt64(about.st_ino))
  }

  init(_ identity: leafcutter_file_identity) {
    (device, inode) = (identity.device, identity.inode)
  }
}

/// The regular files that this process has open.
struct OpenFiles {
  /// nil where nobody can say.
  private let identities: Set<FileIdentity>?

  init() {
    var files: [leafcutter_file_identity] = []
    var count = 256
    while count > files.count, count != Int.max {
      files = Array(repeating: leafcutter_file_identity(), count: count)
      // As many elements as are promised, alive during the call.
      count = Int(clamping: unsafe leafcutter_open_files(&files, files.count))
    }
    identities = count == Int.max ? nil : Set(files.prefix(count).map(FileIdentity.init))
  }

  /// Whether the file with that path is one of them, or may be.
  func contains(_ path: String) -> Bool {
    guard let identities, let file = FileIdentity(path: path) else { return true }
    return identities.contains(file)
  }
}
