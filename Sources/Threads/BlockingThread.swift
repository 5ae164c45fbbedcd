import CThreads
import Glibc

/// A thread of its own for work that blocks in system calls; Swift's pool must never be blocked.
public final class BlockingThread: Sendable {
  private let hasFinished = Guarded(false)

  private init() {}

  /// Starts `body` on a new thread whose name is shown by ps and top (15 characters). For those of which
  /// a program has a handful.
  public convenience init(_ name: String, _ body: @escaping @Sendable () -> Void) {
    self.init()
    let status = start(name, body)
    precondition(status == 0, "pthread_create fails only when threads run out")
  }

  /// The same; nil where no thread is to be had (pthread_create(3), EAGAIN).
  public static func makeIfPossible(
    _ name: String, _ body: @escaping @Sendable () -> Void
  ) -> BlockingThread? {
    let thread = BlockingThread()
    return thread.start(name, body) == 0 ? thread : nil
  }

  /// The same as soon as one is to be had; blocks until then.
  @discardableResult
  public static func whenPossible(
    _ name: String, _ body: @escaping @Sendable () -> Void
  ) -> BlockingThread {
    while true {
      if let thread = makeIfPossible(name, body) { return thread }
      usleep(100_000)
    }
  }

  /// What pthread_create(3) returns.
  private func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Int32 {
    let hasFinished = self.hasFinished
    let start = Start(name: name) {
      body()
      hasFinished.update { $0 = true }
    }
    var thread = pthread_t()
    // The box is retained here and released by the new thread, which takes it over, if there is one.
    let box = unsafe Unmanaged.passRetained(start)
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        unsafe leafcutter_name_thread(start.name)
        start.body()
        return nil
      }, unsafe box.toOpaque())
    if status == 0 {
      pthread_detach(thread)
    } else {
      unsafe box.release()
    }
    return status
  }

  /// Runs `body` on a thread of its own, as soon as one is to be had, and suspends until it has returned.
  public static func run<Value: Sendable>(
    _ name: String, _ body: @escaping @Sendable () -> Value
  ) async -> Value {
    while true {
      let value: Value? = await withCheckedContinuation { continuation in
        let thread = makeIfPossible(name) { continuation.resume(returning: body()) }
        if thread == nil { continuation.resume(returning: nil) }
      }
      if let value { return value }
      try? await Task.sleep(for: .milliseconds(100))
    }
  }

  /// Waits for the end of the body; false when the time was over before.
  @discardableResult
  public func join(for timeout: Duration? = nil) -> Bool {
    func whenFinished(_ isFinished: inout Bool) -> Bool? { isFinished ? true : nil }
    guard let timeout else { return hasFinished.wait(for: whenFinished) }
    return hasFinished.wait(until: .now + timeout, for: whenFinished) ?? false
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
