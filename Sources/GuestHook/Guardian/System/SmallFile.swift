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
      // Of some files the kernel gives at most a page at a time (/proc/self/mounts).
      var length = 0
      while length < buffer.count {
        // The kernel writes at most as many bytes as are left of the buffer, and only those are looked at.
        let count = unsafe pread(
          file.number, buffer.baseAddress! + length, buffer.count - length, off_t(length))
        guard count >= 0 else { return nil }
        if count == 0 { break }
        length += count
      }
      return unsafe String(decoding: buffer[..<length], as: UTF8.self)
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

  static func exists(_ path: String) -> Bool {
    // The path is zero-terminated for the time of the call.
    unsafe access(path, F_OK) == 0
  }

  /// Whether a text stands in a file, however long that is (/proc/PID/maps is); false where it cannot
  /// be read.
  static func contains(_ wanted: String, _ path: String) -> Bool {
    guard let file = try? Descriptor(opening: path) else { return false }
    var text: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // The kernel writes at most `count` bytes into the array, and only those are looked at.
      let count = unsafe Glibc.read(file.number, &part, part.count)
      guard count > 0 else { return false }
      text += part[..<count]
      if text.firstRange(of: Array(wanted.utf8)) != nil { return true }
      // What the next part may continue.
      text.removeFirst(max(0, text.count - wanted.utf8.count))
    }
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
