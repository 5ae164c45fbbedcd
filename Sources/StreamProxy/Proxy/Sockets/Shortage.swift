import Glibc
import Logging
import Synchronization
import Threads

/// Descriptors, memory or threads that have run out, and may be had again.
///
/// Whoever can connect to the proxy, or fill the host, can bring that about at any moment, also when the
/// guest runs at the destination. So it closes nothing and ends nothing: what needs them waits.
final class Shortage: Sendable {
  /// How long to wait before it is tried again.
  static let pause = Duration.milliseconds(100)

  private let logger: Logger
  private let isKnown = Atomic(false)

  init(logger: Logger) { self.logger = logger }

  /// Whether a system call has failed for want of something that may be had again. accept(2) says
  /// ENOBUFS and ENOMEM for sockets' memory, pthread_create(3) EAGAIN for threads.
  static func explains(_ error: SystemError) -> Bool {
    [EMFILE, ENFILE, ENOBUFS, ENOMEM, EAGAIN].contains(error.code)
  }

  /// Says it in the log, the first time.
  func note(_ error: SystemError) {
    guard !isKnown.exchange(true, ordering: .relaxed) else { return }
    let hint = error.code == EMFILE ? " (\(DescriptorLimit.reached))" : ""
    logger.warning("\(error)\(hint); it is tried again until it can be done")
  }

  /// Waits a moment; false where `error` is another one, or `source` has ended and nobody waits for it.
  func ridesOut(_ error: SystemError, for source: Socket) -> Bool {
    guard Shortage.explains(error), !source.peerHasClosed else { return false }
    note(error)
    usleep(useconds_t(Shortage.pause / .microseconds(1)))
    return true
  }

  /// Starts a thread as soon as one is to be had; nil where `source` has ended before.
  func thread(
    _ name: String, for source: Socket, _ body: @escaping @Sendable () -> Void
  ) -> BlockingThread? {
    while true {
      if let thread = BlockingThread.makeIfPossible(name, body) { return thread }
      guard ridesOut(SystemError("start a thread", code: EAGAIN), for: source) else { return nil }
    }
  }
}
