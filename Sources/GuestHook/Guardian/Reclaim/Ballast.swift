import CGuestSystem
import Glibc

/// Free memory taken as zero-filled ballast, so that QEMU sends nine bytes for each page of it
/// instead of what was in it before.
///
/// A child process has it: killing that gives everything back at once, and the kernel kills it first
/// when memory runs out. Commands are eight bytes, a chunk's size; the answer is the sum so far.
final class Ballast {
  static let chunk: UInt64 = 16 << 20

  private let process: ChildProcess
  private(set) var bytes: UInt64 = 0

  /// - Throws: ``SystemError`` where no process can be had.
  init(executable: String) throws(SystemError) {
    process = try ChildProcess(executable: executable, subcommand: ["ballast"])
  }

  deinit { giveBack() }

  var pid: pid_t { process.pid }
  /// Becomes readable when the process ends, and its memory is free.
  var life: Descriptor { process.life }

  /// Returns when the memory is free again.
  func giveBack() {
    guard !process.isReaped else { return }
    bytes = 0
    process.killAndWait()
  }

  /// Takes one chunk more; false where there is no more, or the child is gone.
  func grow(by size: UInt64 = Ballast.chunk) -> Bool {
    var command = size
    let socket = process.connection.socket.number
    // Eight bytes each way.
    guard unsafe send(socket, &command, 8, Int32(MSG_NOSIGNAL)) == 8 else { return false }
    var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    var sum: UInt64 = 0
    // One element; a chunk takes milliseconds, some tens of them under emulation.
    guard unsafe poll(&item, 1, 10_000) > 0, unsafe recv(socket, &sum, 8, 0) == 8, sum > bytes
    else { return false }
    bytes = sum
    return true
  }
}

/// The process that has the ballast.
public enum BallastProcess {
  /// Serves until the guardian is gone, which gives the memory back.
  public static func run(socket: Int32) {
    SmallFile.write("1000", to: "/proc/self/oom_score_adj")
    var sum: UInt64 = 0
    while true {
      var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      var size: UInt64 = 0
      // One element, and eight bytes each way.
      _ = unsafe poll(&item, 1, -1)
      guard unsafe recv(socket, &size, 8, 0) == 8 else { return }
      if unsafe leafcutter_guest_populated_memory(Int(clamping: size)) != nil { sum += size }
      guard unsafe send(socket, &sum, 8, Int32(MSG_NOSIGNAL)) == 8 else { return }
    }
  }
}
