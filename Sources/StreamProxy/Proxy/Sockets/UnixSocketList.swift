import Glibc

/// The unix sockets of this network namespace, as the kernel lists them (proc(5), /proc/net/unix).
enum UnixSocketList {
  private static let path = "/proc/net/unix"
  /// Of the flags, `__SO_ACCEPTCON`.
  private static let listens = "00010000"

  /// Whether a listening socket was bound to this file, or may have been: the list has the names that programs
  /// bound, and a relative one is relative to a directory that is not told. False also where it cannot be read.
  static func hasListener(at path: String) -> Bool {
    let name = path.split(separator: "/").last
    let file = resolved(path)
    guard let list = KernelFile.text(UnixSocketList.path) else { return false }
    return list.split(separator: "\n").contains { line in
      let fields = line.split(separator: " ", maxSplits: 7, omittingEmptySubsequences: true)
      guard fields.count == 8, fields[3] == listens else { return false }
      let bound = fields[7]
      if bound == path { return true }
      guard bound.split(separator: "/").last == name else { return false }
      return !bound.hasPrefix("/") || file != nil && resolved(String(bound)) == file
    }
  }

  /// nil where there is no such file.
  private static func resolved(_ path: String) -> String? {
    // The path is a string for the duration of the call; what it returns is the caller's to free.
    guard let real = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }
}
