import Glibc
import Threads

/// A connected stream socket to a QMP server: one thread reads, any thread may write.
final class QMPSocket: Sendable {
  enum ReadResult {
    case bytes(Int)
    case nothingNow
    case end
    case failed(SystemError)
  }

  /// Non-blocking.
  private let socket: Socket
  /// Gets the reader out of ``waitForInput()``.
  private let bell: WakeUp

  /// - Parameter socket: connected within a time, so that it does not block.
  /// - Throws: where descriptors have run out.
  init(_ socket: Socket) throws(QMPError) {
    guard let bell = WakeUp.makeIfPossible() else {
      throw .connectionLost(reason: SystemError("make an eventfd").description)
    }
    self.socket = socket
    self.bell = bell
  }

  /// Ends both directions: the reader sees the end, the peer too.
  func shutDown() { socket.shutDown() }

  /// Makes ``waitForInput()`` return.
  func ring() { bell.raise() }

  /// Blocks until there is something to read, or somebody rang.
  func waitForInput() {
    _ = waitReadable(socket.descriptor, or: bell)
    bell.lower()
  }

  /// Reads what is there, without blocking, into the beginning of `buffer`.
  func read(into buffer: inout [UInt8]) -> ReadResult {
    do {
      let count = try socket.read(into: &buffer, from: 0)
      return count > 0 ? .bytes(count) : .end
    } catch {
      return error.code == EAGAIN ? .nothingNow : .failed(error)
    }
  }

  /// Writes all of `bytes`.
  ///
  /// - Returns: nil when all is written, otherwise how many bytes were, and why no more.
  func write(_ bytes: [UInt8], until deadline: SuspendingClock.Instant) -> WriteFailure? {
    var written = 0
    while written < bytes.count {
      do {
        written += try socket.write(bytes, from: written)
      } catch {
        let left = SuspendingClock.now.duration(to: deadline)
        guard error.code == EAGAIN, left > .zero else {
          return WriteFailure(written: written, error: error)
        }
        _ = wait(socket.descriptor, POLLOUT, or: nil, for: left)
      }
    }
    return nil
  }

  struct WriteFailure {
    var written: Int
    /// EAGAIN means that the deadline passed.
    var error: SystemError
  }
}
