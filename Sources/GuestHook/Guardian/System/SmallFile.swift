import Glibc

/// Reads and writes the small text files by which the kernel speaks (proc, sysfs, cgroups).
enum SmallFile {
  /// The first 64 KiB of a file, or nil where it cannot be read.
  static func read(_ path: String) -> String? {
    guard let file = try? Descriptor(opening: path) else { return nil }
    return read(file)
  }

  static func read(_ file: Descriptor) -> String? {
    unsafe withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { buffer in
      // The kernel writes at most `count` bytes into the buffer, and only those are looked at.
      let count = unsafe pread(file.number, buffer.baseAddress, buffer.count, 0)
      guard count >= 0 else { return nil }
      return unsafe String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  /// Writes `text` to an existing file in one call; false where that is refused.
  @discardableResult
  static func write(_ text: String, to path: String) -> Bool {
    guard let file = try? Descriptor(opening: path, O_WRONLY) else { return false }
    let bytes = Array(text.utf8)
    // The array is alive during the call.
    return unsafe Glibc.write(file.number, bytes, bytes.count) == bytes.count
  }

  /// The names in a directory, or nothing where it cannot be read.
  static func names(in directory: String) -> [String] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      // d_name is a C string inside the entry, which lives until the next readdir.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
