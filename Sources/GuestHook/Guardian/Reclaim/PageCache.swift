import CGuestSystem
import Glibc

/// Drops the kernel's page cache of a database's files.
struct PageCache {
  private static let maximumDepth = 8
  private static let maximumFiles = 100_000
  /// Written back at a time, in bytes: less than a second's work of slow storage.
  private static let piece: Int64 = 16 << 20

  private(set) var files = 0

  /// Writes back and drops every regular file below `directory`; symbolic links are not followed.
  mutating func drop(below directory: String, depth: Int = 0, until stop: () -> Bool) {
    guard depth < PageCache.maximumDepth else { return }
    for name in SmallFile.names(in: directory) {
      guard files < PageCache.maximumFiles, !stop() else { return }
      let path = "\(directory)/\(name)"
      var information = stat()
      // lstat(2) fills one struct.
      guard unsafe lstat(path, &information) == 0 else { continue }
      switch information.st_mode & S_IFMT {
      case S_IFDIR: drop(below: path, depth: depth + 1, until: stop)
      case S_IFREG: drop(path, of: Int64(information.st_size), until: stop)
      default: break
      }
    }
  }

  private mutating func drop(_ path: String, of size: Int64, until stop: () -> Bool) {
    guard let file = try? Descriptor(opening: path, O_RDONLY | O_NOFOLLOW) else { return }
    // Dirty pages would stay.
    for offset in stride(from: 0, to: size, by: Int(PageCache.piece)) {
      guard !stop() else { return }
      _ = leafcutter_guest_write_back(file.number, offset, PageCache.piece)
    }
    if posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED) == 0 { files += 1 }
  }
}
