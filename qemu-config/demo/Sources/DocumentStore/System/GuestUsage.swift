import Glibc

/// What the kernel says about the machine's memory and processors.
public enum GuestUsage {
  /// The lines of /proc/meminfo by their names, in bytes; empty where it cannot be read.
  public static func memory() -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for line in SmallFile.text("/proc/meminfo").split(separator: "\n") {
      // "MemAvailable:    1234 kB"; lines without a unit are counts.
      let words = line.split(separator: " ")
      guard words.count == 3, words[2] == "kB", let count = UInt64(words[1]) else { continue }
      result[String(words[0].dropLast())] = count << 10
    }
    return result
  }

  /// Milliseconds that all processors together have been busy since the machine began, which is what
  /// the first line of /proc/stat says but for `idle` and `iowait` (proc(5)); nil where it cannot be read.
  public static func busyMilliseconds() -> UInt64? {
    let line = SmallFile.text("/proc/stat").prefix { $0 != "\n" }
    let ticks = line.split(separator: " ").dropFirst().map { UInt64($0) ?? 0 }
    let ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    guard ticks.count >= 8 else { return nil }
    let busy = [0, 1, 2, 5, 6, 7].reduce(0) { $0 + ticks[$1] }
    return busy * 1000 / ticksPerSecond
  }

  /// Has the kernel forget clean pages, directory entries and inodes, as an operator does with
  /// `sync; echo 3 >/proc/sys/vm/drop_caches`.
  ///
  /// - Throws: ``SystemError``, e.g. where this process is not root.
  public static func dropCaches() throws(SystemError) {
    sync()
    let path = "/proc/sys/vm/drop_caches"
    // The path is a string for the duration of the call.
    let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(path)") }
    defer { close(descriptor) }
    let text = Array("3\n".utf8)
    // As many bytes as the array has, alive during the call.
    guard unsafe write(descriptor, text, text.count) == text.count else {
      throw SystemError("write \(path)")
    }
  }
}

/// Files of /proc, which are read in one go.
enum SmallFile {
  /// Empty where it cannot be read.
  static func text(_ path: String) -> String {
    // The path is a string, and the buffer is written to for at most its size, during the calls.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 16_384)
    let count = unsafe read(descriptor, &buffer, buffer.count)
    return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
  }
}
