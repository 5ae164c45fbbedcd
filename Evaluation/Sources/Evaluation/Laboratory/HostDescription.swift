import FoundationEssentials
import Glibc

/// What the machine is on which it is measured.
enum HostDescription {
  static func current(accelerator: String) -> [String: String] {
    [
      "processors": "\(sysconf(Int32(_SC_NPROCESSORS_ONLN)))",
      "processor": value(of: "model name", in: "/proc/cpuinfo"),
      "memory_kib": value(of: "MemTotal", in: "/proc/meminfo"),
      "kernel": text("/proc/sys/kernel/osrelease"),
      "accelerator": accelerator,
    ]
  }

  /// What stands behind the first `name: ` of a file; empty where it is not there.
  private static func value(of name: String, in path: String) -> String {
    for line in text(path).split(separator: "\n") where line.hasPrefix(name) {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return trimmed(line[line.index(after: colon)...])
    }
    return ""
  }

  private static func text(_ path: String) -> String {
    // Files of /proc have no size, so they are read until their end.
    guard let file = unsafe fopen(path, "r") else { return "" }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    // As many bytes as the array has, alive during the call.
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return trimmed(Substring(String(decoding: bytes[..<count], as: UTF8.self)))
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0.isWhitespace }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
