import Glibc
import StreamProxy

/// SIGINT and SIGTERM end the program and leave no guest, namespace or file behind.
public enum Interrupts {
  /// What a shell reports for a program that was interrupted.
  private static let exitCode: Int32 = 130

  /// Call it first of all: threads inherit the mask of the one that makes them.
  ///
  /// - Parameter name: of the program, for the line that says what happens.
  public static func cleanUpWhenReceived(as name: String) {
    var set = signals()
    // The set is alive during the call.
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
    _ = BlockingThread("signals") {
      var set = signals()
      var number: Int32 = 0
      // Both are alive during the call.
      guard unsafe sigwait(&set, &number) == 0 else { return }
      let line = Array("\(name): interrupted, cleaning up\n".utf8)
      // As many bytes as the array has, alive during the call.
      _ = unsafe write(STDERR_FILENO, line, line.count)
      Cleanup.run()
      exit(exitCode)
    }
  }

  private static func signals() -> sigset_t {
    var set = sigset_t()
    // Filled in by the calls.
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGINT)
    unsafe sigaddset(&set, SIGTERM)
    return set
  }
}
