import CThreads
import Glibc

/// A thread of its own for work that blocks in system calls; Swift's pool must never be blocked.
public final class BlockingThread: Sendable {
  private let hasFinished = Guarded(false)

  /// Starts `body` on a new thread whose name is shown by ps and top (15 characters).
  public init(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let hasFinished = self.hasFinished
    let start = Start(name: name) {
      body()
      hasFinished.update { $0 = true }
    }
    var thread = pthread_t()
    // The box is retained here and released by the new thread, which takes it over.
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        unsafe leafcutter_name_thread(start.name)
        start.body()
        return nil
      }, unsafe Unmanaged.passRetained(start).toOpaque())
    precondition(status == 0, "pthread_create fails only when threads run out")
    pthread_detach(thread)
  }

  /// Runs `body` on a thread of its own and suspends until it has returned.
  public static func run<Value: Sendable>(
    _ name: String, _ body: @escaping @Sendable () -> Value
  ) async -> Value {
    await withCheckedContinuation { continuation in
      _ = BlockingThread(name) { continuation.resume(returning: body()) }
    }
  }

  /// Waits for the end of the body; false when the time was over before.
  @discardableResult
  public func join(for timeout: Duration? = nil) -> Bool {
    while true {
      let deadline = SuspendingClock.now + (timeout ?? .seconds(3600))
      if hasFinished.wait(until: deadline, for: { $0 ? true : nil }) != nil { return true }
      if timeout != nil { return false }
    }
  }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
