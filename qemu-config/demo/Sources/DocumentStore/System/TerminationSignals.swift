import Glibc

/// SIGINT and SIGTERM, taken by a thread that waits for them instead of by a handler. Not Leafcutter's own, of which the
/// store knows nothing, as any other database.
public enum TerminationSignals {
  /// Call it first of all: threads inherit the mask of the one that makes them.
  public static func block() {
    var set = signals()
    // The set is alive during the call.
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Calls `body` for each of them, on a thread of its own that runs as long as the process.
  public static func whenReceived(_ body: @escaping @Sendable () -> Void) {
    _ = RunningThread("signals") {
      var set = signals()
      var number: Int32 = 0
      // Both are alive during the call.
      while unsafe sigwait(&set, &number) == 0 { body() }
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
