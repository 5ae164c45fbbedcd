import CExtensionShims
import Glibc

/// What the kernel lets this process do of what a hold takes.
///
/// Asking takes the system calls themselves, and a filter (seccomp) may end a program for one, as systemd's do
/// without `SystemCallErrorNumber=`. So where there is a filter a child asks, and early, when the database has
/// little memory of which the child would have the page tables.
struct KernelOffer: Sendable {
  /// Why frames cannot be held, or nil where they can.
  var obstacle: String?
  /// What is not held, or nil.
  var limitation: String?

  init(to hold: HoldLibrary) {
    // Structures of our own, alive during the calls; what a pointer in them points to is a constant.
    var answers = unsafe leafcutter_kernel_answers()
    var functions = hold.functions
    if KernelOffer.isFiltered {
      let failed = unsafe leafcutter_ask_kernel_in_child(&functions, &answers)
      guard failed == 0 else {
        obstacle = KernelOffer.unasked(failed)
        return
      }
    } else {
      unsafe leafcutter_ask_kernel(&functions, &answers)
    }
    if unsafe answers.check != 0 {
      let missing = unsafe answers.what.map { unsafe String(cString: $0) } ?? ""
      obstacle = """
        frames cannot be held, because this kernel refuses \(missing): \
        \(unsafe String(cString: strerror(answers.check)))
        """
      return
    }
    let move = unsafe answers.check_move
    // Where the kernel has none, the guardian sees that too.
    guard move != 0, move != ENOSYS else { return }
    limitation = """
      userfaultfd is refused to it (\(unsafe String(cString: strerror(move)))), so only runs of pages from \
      16 KiB on are held; allow the call, which a seccomp filter (SystemCallFilter=) or a security module refuses
      """
  }

  /// What there is to say where nobody could ask and come back.
  private static func unasked(_ code: Int32) -> String {
    let reason =
      code == ECHILD
      ? "the filter ends a program for what a hold takes"
      : "no child is to be had that asks what they refuse (\(unsafe String(cString: strerror(code))))"
    return """
      frames cannot be held, because its system calls are filtered (seccomp) and \(reason); let userfaultfd, \
      io_uring_setup and io_uring_register through (SystemCallFilter=)
      """
  }

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
