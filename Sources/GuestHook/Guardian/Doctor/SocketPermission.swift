import Glibc

/// Who may connect to a socket, by its file's owner, group and mode (unix(7): write permission).
struct SocketPermission {
  var owner: UInt32
  var group: UInt32
  var mode: UInt32

  /// nil where there is no such file.
  init?(_ path: String) {
    var about = stat()
    // The path is zero-terminated, and the structure alive, during the call.
    guard unsafe stat(path, &about) == 0 else { return nil }
    self.init(owner: about.st_uid, group: about.st_gid, mode: UInt32(about.st_mode))
  }

  init(owner: UInt32, group: UInt32, mode: UInt32) {
    self.owner = owner
    self.group = group
    self.mode = mode
  }

  /// - Parameter status: the process's /proc/PID/status.
  func admits(_ status: String) -> Bool {
    func numbers(_ field: String) -> [UInt32] {
      let line = status.split(separator: "\n").first { $0.hasPrefix(field) }
      return line?.split(whereSeparator: \.isWhitespace).dropFirst().compactMap { UInt32($0) } ?? []
    }
    // Real, effective, saved, file system.
    let (users, groups) = (numbers("Uid:"), numbers("Gid:"))
    guard users.count == 4, groups.count == 4 else { return true }
    if users[1] == 0 { return true }
    if users[3] == owner { return mode & 0o200 != 0 }
    if groups[3] == group || numbers("Groups:").contains(group) { return mode & 0o020 != 0 }
    return mode & 0o002 != 0
  }
}
