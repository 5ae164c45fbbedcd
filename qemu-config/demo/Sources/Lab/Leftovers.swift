import FoundationEssentials
import Glibc

/// What a laboratory left that was killed before it could clean up: each name carries the number of
/// its process, so what belongs to none that lives can go.
enum Leftovers {
  static func remove(state: String) {
    remove(in: "/run", prefix: LabFiles.socketsPrefix) { removeFiles("/run/\($0)") }
    remove(in: "\(state)/scratch", prefix: "") { removeFiles("\(state)/scratch/\($0)") }
    remove(in: "/run/netns", prefix: TwoHosts.namePrefix) { name in
      try? ChildProcess.run(
        "ip netns delete", ["ip", "netns", "delete", name], log: "/dev/null")
    }
  }

  /// Calls `body` for the entries of `directory` whose names are the prefix, the number of a process
  /// that is gone, and anything that is no digit.
  private static func remove(in directory: String, prefix: String, _ body: (String) -> Void) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    for name in names where name.hasPrefix(prefix) {
      guard let process = pid_t(name.dropFirst(prefix.count).prefix(while: \.isNumber)) else {
        continue
      }
      // Signal 0 only asks; a process of somebody else is refused and lives.
      if kill(process, 0) != 0, errno == ESRCH { body(name) }
    }
  }

  private static func removeFiles(_ path: String) {
    try? FileManager.default.removeItem(atPath: path)
  }
}
