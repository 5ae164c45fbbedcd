import Glibc

/// What tells one boot of a system from the next.
enum BootIdentity {
  private static let path = "/proc/sys/kernel/random/boot_id"

  /// "unknown" where it cannot be read.
  static var text: String {
    // The path is a string, and the buffer is written to for at most its size, during the calls.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "unknown" }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = unsafe read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return "unknown" }
    return String(decoding: buffer[..<count].prefix { $0 != 0x0a }, as: UTF8.self)
  }
}
