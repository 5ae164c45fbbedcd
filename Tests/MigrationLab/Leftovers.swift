import Glibc
import Synchronization

/// QEMUs that would outlive the test program: what a test still holds when the program ends is never
/// deinitialised.
enum Leftovers {
  private static let running = Mutex<[pid_t]>([])
  private static let atEnd: Void = {
    atexit {
      for process in Leftovers.running.withLock({ $0 }) { _ = Glibc.kill(process, SIGKILL) }
    }
  }()

  static func add(_ process: pid_t) {
    _ = atEnd
    running.withLock { $0.append(process) }
  }

  /// Kills one of them, once: its number may be somebody else's afterwards.
  static func kill(_ process: pid_t) {
    let isRunning = running.withLock { running in
      let index = running.firstIndex(of: process)
      if let index { running.remove(at: index) }
      return index != nil
    }
    if isRunning { _ = Glibc.kill(process, SIGKILL) }
  }
}
