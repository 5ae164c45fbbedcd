/// What /proc/meminfo says, in bytes.
struct MemoryInfo: Equatable {
  var free: UInt64 = 0
  var available: UInt64 = 0
  var cached: UInt64 = 0

  /// nil where the fields are not there.
  init?(parsing text: String) {
    var found = 0
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      guard fields.count >= 2, let kibibytes = UInt64(fields[1]) else { continue }
      switch fields[0] {
      case "MemFree:": free = kibibytes * 1024
      case "MemAvailable:": available = kibibytes * 1024
      case "Cached:": cached = kibibytes * 1024
      default: continue
      }
      found += 1
      if found == 3 { return }
    }
    return nil
  }

  static func now() -> MemoryInfo? {
    SmallFile.read("/proc/meminfo").flatMap { MemoryInfo(parsing: $0) }
  }
}
