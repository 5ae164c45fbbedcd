import Glibc

/// MemAvailable of /proc/meminfo: what can be taken without swapping.
public enum AvailableMemory {
  /// nil where it cannot be read.
  public static var bytes: UInt64? {
    // The path is a string, and the buffer is written to for at most its size, during the calls.
    let descriptor = unsafe open("/proc/meminfo", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return nil }
    for line in String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("MemAvailable:") {
      // "MemAvailable:    1234 kB"
      return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 << 10 }
    }
    return nil
  }
}
