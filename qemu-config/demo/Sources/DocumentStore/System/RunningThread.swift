import CWiredTigerStore
import Glibc

/// A thread of its own for work that blocks: WiredTiger, paced clients, the port. It must be joined.
public struct RunningThread: Sendable {
  private let handle: pthread_t

  /// Starts `body` on a new thread whose name is shown by ps and top (15 characters).
  ///
  /// - Parameter preferred: Asks for real-time scheduling, so that work which takes microseconds is
  ///   on time while the processors are busy. Where that is not allowed the thread is an ordinary one.
  public init(_ name: String, preferred: Bool = false, _ body: @escaping @Sendable () -> Void) {
    let start = Start(name: name, body: body)
    var handle = pthread_t()
    // The box is retained here and released by the new thread, which takes it over.
    let status = unsafe pthread_create(
      &handle, nil,
      { argument in
        let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        unsafe leafcutter_store_name_thread(start.name)
        start.body()
        return nil
      }, unsafe Unmanaged.passRetained(start).toOpaque())
    precondition(status == 0, "pthread_create fails only when threads run out")
    if preferred {
      var parameters = sched_param(sched_priority: 1)
      // The parameters are alive during the call; a refusal is no error.
      unsafe _ = pthread_setschedparam(handle, SCHED_FIFO, &parameters)
    }
    self.handle = handle
  }

  /// Waits for the end of the body. Call it exactly once.
  public func join() {
    _ = pthread_join(handle, nil)
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

/// Runs `body` for 0, 1, … `count` − 1 on as many threads and waits for all of them.
func inParallel<Result: Sendable>(
  _ name: String, _ count: Int, _ body: @escaping @Sendable (Int) -> Result
) -> [Result] {
  let results = Collected<Result>()
  let threads = (0..<count).map { index in
    RunningThread("\(name)-\(index)") { results.add(index, body(index)) }
  }
  for thread in threads { thread.join() }
  return results.inOrder
}
