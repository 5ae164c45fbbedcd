import Glibc

/// What the kernel lets this process do of what a hold takes.
///
/// Asking takes the system calls themselves, and a filter (seccomp) may end a program for one, as systemd's do
/// without `SystemCallErrorNumber=`. So nothing is asked while the database opens, and where there is a filter,
/// not before a migration.
struct KernelOffer: Sendable {
  /// Why frames cannot be held, or nil where they can.
  var obstacle: String?
  /// What is not held, or nil.
  var limitation: String?

  init(to hold: HoldLibrary) {
    var what: UnsafePointer<CChar>?
    let code = unsafe hold.functions.check(&what)
    if code != 0 {
      let missing = unsafe what.map { unsafe String(cString: $0) } ?? ""
      obstacle = """
        frames cannot be held, because this kernel refuses \(missing): \
        \(unsafe String(cString: strerror(code)))
        """
      return
    }
    let move = hold.functions.check_move()
    // Where the kernel has none, the guardian sees that too.
    guard move != 0, move != ENOSYS else { return }
    limitation = """
      userfaultfd is refused to it (\(unsafe String(cString: strerror(move)))), so only runs of pages from \
      16 KiB on are held; allow the call, which a seccomp filter (SystemCallFilter=) or a security module refuses
      """
  }

  /// What there is to say where nobody has asked yet.
  static let unknown = """
    its system calls are filtered (seccomp), and a filter may end a program for a call, so what is refused is only \
    seen in its first migration; let userfaultfd, io_uring_setup and io_uring_register through (SystemCallFilter=)
    """

  /// Whether this thread's system calls are filtered; true where /proc does not tell.
  static var isFiltered: Bool {
    // The path is alive during the call.
    let file = unsafe open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return true }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    // As many bytes as the array has.
    let count = unsafe read(file, &bytes, bytes.count)
    return isFiltered(status: String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self))
  }

  /// From the text of /proc/PID/status: a kernel without filters has no such line.
  static func isFiltered(status: String) -> Bool {
    let line = status.split(separator: "\n").first { $0.hasPrefix("Seccomp:") }
    return status.isEmpty || line.map { !$0.hasSuffix("\t0") } ?? false
  }
}
