import Glibc

/// How much memory this process may still take without a limit being met.
enum SpareMemory {
  private static let controlGroups = "/sys/fs/cgroup"

  /// Bytes: what the kernel calls available, and no more than any control group above this process has
  /// left of its limit (cgroup v2: memory.max less memory.current, in which page cache counts as taken).
  /// 0 where that is not told.
  static func now() -> UInt64 {
    guard let available = available(read("/proc/meminfo")) else { return 0 }
    guard let group = unifiedGroup(read("/proc/self/cgroup")) else { return 0 }
    var spare = available
    var path = controlGroups + group
    while true {
      if let limit = UInt64(line: read("\(path)/memory.max")) {
        let taken = UInt64(line: read("\(path)/memory.current")) ?? limit
        spare = min(spare, limit - min(limit, taken))
      }
      guard path.utf8.count > controlGroups.utf8.count, let slash = path.lastIndex(of: "/")
      else { return spare }
      path = String(path[..<slash])
    }
  }

  /// From the text of /proc/meminfo.
  static func available(_ text: String) -> UInt64? {
    for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      return fields.count < 2 ? nil : UInt64(fields[1]).map { $0 * 1024 }
    }
    return nil
  }

  /// The path of the group in the unified hierarchy, from the text of /proc/self/cgroup (cgroups(7)). nil
  /// where memory is limited by a hierarchy of its own (v1).
  static func unifiedGroup(_ text: String) -> String? {
    var group: String?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[0] == "0" { group = fields[2] == "/" ? "" : String(fields[2]) }
      if fields[1].split(separator: ",").contains("memory") { return nil }
    }
    return group
  }

  /// The first 4 KiB of a file, in which all that is asked for stands.
  private static func read(_ path: String) -> String {
    // The path is alive during the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4096)
    // As many bytes as the array has.
    let count = unsafe Glibc.read(file, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
  }
}

extension UInt64 {
  /// A number that is a whole line; nil for "max".
  fileprivate init?(line text: String) {
    self.init(text.prefix { $0 != "\n" })
  }
}
