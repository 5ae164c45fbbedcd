import Dispatch
import Foundation
import Glibc
import StreamProxy
import Synchronization
import Threads

/// A process that the kernel kills when this program ends, however it ends: a QEMU whose guest counts
/// would go on for ever, and answers no SIGTERM.
enum BoundProcess {
  private final class Start: Sendable {
    let failure = Mutex<(any Error)?>(nil)
    let isOver = DispatchSemaphore(value: 0)
  }

  /// What PR_SET_PDEATHSIG speaks of is the end of the thread that made the process, so that is one
  /// which lasts as long.
  static func run(_ process: Process, _ program: String, _ arguments: [String]) throws {
    process.executableURL = URL(filePath: "/usr/bin/setpriv")
    // The shell ends at once where this program has ended before the signal was asked for.
    let unlessOrphaned = #"[ "$PPID" = "$0" ] && exec "$@""#
    process.arguments =
      ["--pdeathsig", "KILL", "--", "/bin/sh", "-c", unlessOrphaned, "\(getpid())", program]
      + arguments
    let start = Start()
    _ = BlockingThread("qemu") {
      do {
        try process.run()
      } catch {
        start.failure.withLock { $0 = error }
      }
      start.isOver.signal()
      process.waitUntilExit()
    }
    start.isOver.wait()
    if let failure = start.failure.withLock({ $0 }) { throw failure }
  }
}
