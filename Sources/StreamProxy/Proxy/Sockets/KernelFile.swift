import Glibc

/// Files that the kernel writes while they are read (proc(5)).
enum KernelFile {
  /// All of it; nil where it cannot be read. Of some the kernel gives at most a page at a time, so a short read is not
  /// the end, which is what FileManager takes it for.
  static func text(_ path: String) -> String? {
    // The path is a string for the duration of the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65_536)
    while true {
      // As many bytes as the array has.
      let count = unsafe read(file, &part, part.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return count == 0 ? String(decoding: text, as: UTF8.self) : nil }
      text.append(contentsOf: part[..<count])
    }
  }
}
