/// The unix sockets of this network namespace, as the kernel lists them (proc(5), /proc/net/unix).
enum UnixSocketList {
  private static let path = "/proc/net/unix"
  /// Of the flags, `__SO_ACCEPTCON`.
  private static let listens = "00010000"

  /// Whether a listening socket was bound to this path; false also where the kernel's list cannot be read.
  static func hasListener(at path: String) -> Bool {
    KernelFile.text(UnixSocketList.path).split(separator: "\n").contains { line in
      let fields = line.split(separator: " ", maxSplits: 7, omittingEmptySubsequences: true)
      return fields.count == 8 && fields[3] == listens && fields[7] == path
    }
  }
}
