import Glibc

/// Text for somebody who may not read it now: a terminal after Ctrl-S, a pipe that is full.
///
/// A thread of its own writes it, in order, and whoever has something to say goes on at once: the threads that
/// carry a migration log, some of them while the guest stands still, and so does the one that lets frames go.
public final class BackgroundOutput: TextOutputStream, Sendable {
  public static let standardError = BackgroundOutput(to: STDERR_FILENO)

  private struct State {
    var waiting: [UInt8] = []
    /// Bytes that have found no room since.
    var leftOut = 0
    /// Bytes that the thread has taken and not written yet.
    var underWay = 0
    var isOver = false
  }

  private let state = Guarded(State())
  private let descriptor: Int32
  private let capacity: Int
  /// nil where there was none to be had: then everybody writes and waits.
  private let thread: BlockingThread?

  /// - Parameters:
  ///   - descriptor: stays the caller's, and has to be open for as long as this is.
  ///   - capacity: in bytes. What comes while as many wait is left out, and how much that was is said in its place.
  public init(to descriptor: Int32, capacity: Int = 1 << 20) {
    self.descriptor = descriptor
    self.capacity = capacity
    thread = BlockingThread.makeIfPossible("output") { [state] in
      while let next = BackgroundOutput.next(of: state) {
        BackgroundOutput.write(next, to: descriptor) { count in
          state.update { $0.underWay -= count }
        }
      }
    }
  }

  deinit { state.update { $0.isOver = true } }

  public func write(_ text: String) {
    guard thread != nil else {
      return BackgroundOutput.write(Array(text.utf8), to: descriptor) { _ in }
    }
    state.update { state in
      let bytes = text.utf8
      let kept = state.waiting.count + state.underWay
      guard state.leftOut == 0, kept + bytes.count <= capacity else {
        state.leftOut += bytes.count
        return
      }
      state.waiting.append(contentsOf: bytes)
    }
  }

  /// Blocks until everything that waits has been written, or nothing has been taken for as long as `patience`.
  public func drain(patience: Duration = .seconds(2)) {
    guard thread != nil else { return }
    var left = Int.max
    while left > 0 {
      let now = state.wait(until: .now + patience) { state in
        // What was left out is still to be said, however short that is.
        let now = state.waiting.count + state.underWay + (state.leftOut > 0 ? 1 : 0)
        return now < left ? now : nil
      }
      guard let now else { return }
      left = now
    }
  }

  /// What is to be written next; nil when nothing will be.
  private static func next(of state: Guarded<State>) -> [UInt8]? {
    state.wait { state -> [UInt8]?? in
      guard !state.waiting.isEmpty || state.leftOut > 0 else {
        return state.isOver ? .some(nil) : nil
      }
      if state.leftOut > 0 {
        state.waiting += Array("[\(state.leftOut) bytes left out: nobody read them]\n".utf8)
        state.leftOut = 0
      }
      defer { state.waiting = [] }
      state.underWay = state.waiting.count
      return state.waiting
    }
  }

  /// - Parameter note: is told how many bytes have been written, or given up.
  private static func write(_ text: [UInt8], to descriptor: Int32, note: (Int) -> Void) {
    var rest = text[...]
    while !rest.isEmpty {
      // Alive during the call. At most PIPE_BUF at once, so that it is seen that somebody reads.
      let count = unsafe rest.prefix(Int(PIPE_BUF)).withUnsafeBytes { bytes in
        unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      }
      if count > 0 {
        rest.removeFirst(count)
        note(count)
      } else if errno == EAGAIN {
        // Whoever started the program may have made it so.
        _ = wait(descriptor, POLLOUT, or: nil)
      } else if errno != EINTR {
        // A terminal that is gone is no error.
        note(rest.count)
        return
      }
    }
  }
}
