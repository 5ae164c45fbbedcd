/// What a relay's processes had in memory at the end of a stream, in bytes.
///
/// Of one process ``peakResident`` says it all. Several (nginx has a master and workers, socat one for each
/// connection) share the program, its libraries and what they had before they were forked, and their peaks count
/// that once for each: the sum is a bound from above. ``proportional`` has such pages once, but as they are then, and
/// without the part of other programs that use the same libraries (the bare splice relay shares its program with the
/// benchmark): a bound from below.
struct RelayMemory: Sendable {
  private(set) var processes = 0
  /// The sum of VmHWM (proc(5)). `ru_maxrss` would count the memory of whoever started the program.
  private(set) var peakResident = 0
  /// The sum of Pss (proc(5), smaps_rollup): each page in equal parts to all that map it.
  private(set) var proportional = 0

  init() {}

  /// - Parameter processes: their numbers. One that has ended has nothing.
  init(of processes: [String]) {
    for process in processes {
      add(
        status: readText("/proc/\(process)/status"),
        mappings: readText("/proc/\(process)/smaps_rollup"))
    }
  }

  /// One more process, as its files in /proc say.
  mutating func add(status: String, mappings: String) {
    guard let peak = RelayMemory.bytes(of: "VmHWM:", in: status) else { return }
    processes += 1
    peakResident += peak
    proportional += RelayMemory.bytes(of: "Pss:", in: mappings) ?? 0
  }

  private static func bytes(of name: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }
}
