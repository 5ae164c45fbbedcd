import Glibc

enum Terminal {
  /// One line on standard error.
  static func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    // As many bytes as the array has, alive during the call.
    _ = unsafe write(STDERR_FILENO, line, line.count)
  }
}
