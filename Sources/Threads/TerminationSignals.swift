import CThreads
import Glibc

/// SIGINT, SIGTERM and SIGHUP, taken by a thread that waits for them instead of by a handler. One that whoever
/// started the program has it ignore (nohup(1) does SIGHUP) stays ignored.
public enum TerminationSignals {
  /// Call it first of all: threads inherit the mask of the one that makes them. Not in an asynchronous `main`, whose
  /// first thread Dispatch parks with all of them unblocked.
  public static func block() {
    var set = signals()
    // The set is alive during the call.
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// Calls `body` with the number of each of them, on a thread of its own.
  public static func whenReceived(_ body: @escaping @Sendable (Int32) -> Void) {
    BlockingThread.whenPossible("signals") {
      var set = signals()
      var number: Int32 = 0
      // Both are alive during the call.
      while unsafe sigwait(&set, &number) == 0 { body(number) }
    }
  }

  private static func signals() -> sigset_t {
    var set = sigset_t()
    // Filled in by the calls.
    unsafe sigemptyset(&set)
    // A signal that is blocked is kept for sigwait(3) though it is ignored.
    for number in [SIGINT, SIGTERM, SIGHUP] where leafcutter_signal_is_ignored(number) == 0 {
      unsafe sigaddset(&set, number)
    }
    return set
  }
}
