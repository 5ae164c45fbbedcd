import CGuestSystem
import Glibc

/// A thread of its own for work that blocks in system calls; Swift's pool must never be blocked.
final class BlockingThread: Sendable {
  private let finished = WakeUp()

  /// Starts `body` on a new thread whose name is shown by ps and top (15 characters).
  init(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let finished = self.finished
    let start = Start(name: name) {
      body()
      finished.raise()
    }
    var thread = pthread_t()
    // The box is retained here and released by the new thread, which takes it over.
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        let start = unsafe Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        unsafe leafcutter_guest_name_thread(start.name)
        start.body()
        return nil
      }, unsafe Unmanaged.passRetained(start).toOpaque())
    precondition(status == 0, "pthread_create fails only when threads run out")
    pthread_detach(thread)
  }

  /// Waits for the end of the body.
  func join() { _ = finished.wait(milliseconds: -1) }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
