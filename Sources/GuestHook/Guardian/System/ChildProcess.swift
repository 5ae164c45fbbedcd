import CGuestSystem
import Glibc

/// A process of this program under another subcommand, joined by a socket pair: its descriptor 3.
final class ChildProcess {
  let pid: pid_t
  let connection: LocalConnection
  /// Becomes readable when the process ends.
  let life: Descriptor

  /// - Throws: ``SystemError`` where processes or descriptors run out.
  init(executable: String, subcommand: [String]) throws(SystemError) {
    let action = "start \(executable) \(subcommand.joined(separator: " "))"
    var ends: [Int32] = [-1, -1]
    // socketpair(2) writes two numbers.
    guard unsafe leafcutter_guest_socketpair(&ends) == 0 else { throw SystemError(action) }
    let ours = Descriptor(owning: ends[0])
    let theirs = Descriptor(owning: ends[1])
    var arguments = unsafe (["leafcutter-guest"] + subcommand).map { unsafe strdup($0) }
    unsafe arguments.append(nil)
    defer { for index in unsafe arguments.indices { unsafe free(arguments[index]) } }
    // The strings are alive until the end of this function; the child has copies of its own.
    let pid = unsafe leafcutter_guest_spawn(executable, arguments, theirs.number)
    guard pid > 0 else { throw SystemError(action) }
    let life = leafcutter_guest_pidfd_open(pid)
    guard life >= 0 else {
      let error = SystemError(action)
      kill(pid, SIGKILL)
      ChildProcess.awaitEnd(of: pid)
      throw error
    }
    self.pid = pid
    self.life = Descriptor(owning: life)
    connection = LocalConnection(ours, maximumOutbound: 64 * 1024)
  }

  private(set) var isReaped = false

  var hasEnded: Bool { life.isReady() }

  /// Kills the process and waits until its memory is given back.
  func killAndWait() {
    kill(pid, SIGKILL)
    reap()
  }

  /// Waits for the end of a process that ends by itself; its exit code, or nil where a signal ended it.
  @discardableResult
  func reap() -> Int32? {
    let status = ChildProcess.awaitEnd(of: pid)
    isReaped = true
    return status & 0x7f == 0 ? status >> 8 & 0xff : nil
  }

  /// - Returns: the status that waitpid(2) gives.
  @discardableResult
  private static func awaitEnd(of pid: pid_t) -> Int32 {
    var status: Int32 = 0
    // waitpid(2) writes one int.
    while unsafe waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status
  }
}
