import CGuestSystem
import Glibc

/// Drops the kernel's page cache of a database's files.
struct PageCache {
  private static let maximumDepth = 8
  private static let maximumFiles = 100_000

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
      case S_IFREG: drop(path)
      default: break
      }
    }
  }

  private mutating func drop(_ path: String) {
    guard let file = try? Descriptor(opening: path, O_RDONLY | O_NOFOLLOW) else { return }
    // Dirty pages would stay.
    _ = leafcutter_guest_write_back(file.number)
    if posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED) == 0 { files += 1 }
  }
}
