import Glibc
import StreamProxy

enum Signals {
  /// Whoever stops the program finds no QEMU and no huge pages left. Call it first of all: threads
  /// inherit the mask of the one that makes them.
  static func prepare() {
    var set = sigset_t()
    // Filled in by the calls, and alive during them.
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGINT)
    unsafe sigaddset(&set, SIGTERM)
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    _ = BlockingThread("signals") { [set] in
      var set = set
      var number: Int32 = 0
      // Both are alive during the call.
      if unsafe sigwait(&set, &number) == 0 { exit(128 + number) }
    }
  }
}
