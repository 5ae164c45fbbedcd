import Glibc

/// How much memory this process may still take without a limit being met.
enum SpareMemory {
  private static let controlGroups = "/sys/fs/cgroup"

  /// Bytes: what the kernel calls available, and no more than control groups leave, page cache counted as spare
  /// in both; 0 where that is not told.
  static func now() -> UInt64 {
    guard let available = available(read("/proc/meminfo")),
      let group = unifiedGroup(read("/proc/self/cgroup"))
    else { return 0 }
    return min(available, inControlGroups(group) ?? available)
  }

  /// Bytes that the control groups of this process leave it, page cache counted as spare, because the kernel
  /// takes that back. nil where none limits it.
  static var inControlGroups: UInt64? {
    unifiedGroup(read("/proc/self/cgroup")).flatMap { inControlGroups($0) }
  }

  /// What any group above has left of its limit (cgroup v2: the lower of memory.max and memory.high less
  /// memory.current). Above `high` nothing fails, but whoever takes memory there is kept waiting.
  private static func inControlGroups(_ group: String) -> UInt64? {
    var spare: UInt64?
    var path = controlGroups + group
    while true {
      let limits = ["max", "high"].compactMap { UInt64(line: read("\(path)/memory.\($0)")) }
      if let limit = limits.min() {
        let current = UInt64(line: read("\(path)/memory.current")) ?? limit
        let taken = current - min(current, pageCache(read("\(path)/memory.stat")))
        spare = min(spare ?? .max, limit - min(limit, taken))
      }
      guard path.utf8.count > controlGroups.utf8.count, let slash = path.lastIndex(of: "/")
      else { return spare }
      path = String(path[..<slash])
    }
  }

  /// Bytes of files, from the text of memory.stat.
  static func pageCache(_ text: String) -> UInt64 {
    text.split(separator: "\n").reduce(UInt64(0)) { sum, line in
      let fields = line.split(separator: " ")
      let isFile = fields.count == 2 && (fields[0] == "active_file" || fields[0] == "inactive_file")
      guard isFile, let bytes = UInt64(fields[1]) else { return sum }
      let (more, overflows) = sum.addingReportingOverflow(bytes)
      return overflows ? .max : more
    }
  }

  /// From the text of /proc/meminfo.
  static func available(_ text: String) -> UInt64? {
    for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      guard fields.count >= 2, let kibibytes = UInt64(fields[1]) else { return nil }
      let (bytes, overflows) = kibibytes.multipliedReportingOverflow(by: 1024)
      return overflows ? .max : bytes
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
