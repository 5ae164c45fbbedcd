import Glibc

/// A connected stream socket to a QMP server: one thread reads, any thread may write.
///
/// The descriptors are closed when the last reference goes, so no thread can ever use a number
/// that the kernel has given to somebody else meanwhile.
final class QMPSocket: Sendable {
  enum ReadResult {
    case bytes(Int)
    case nothingNow
    case end
    case failed(Int32)
  }

  private let descriptor: Int32
  /// Two ends of a socket pair: a byte written to the first gets the reader, who waits on the second,
  /// out of ``waitForInput()``.
  private let bell: (rope: Int32, clapper: Int32)

  /// Takes over `descriptor`, also when it throws.
  init(descriptor: Int32) throws(QMPError) {
    let flags = fcntl(descriptor, F_GETFL)
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    // socketpair fills in the two elements the array has.
    guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0,
      unsafe socketpair(AF_UNIX, type, 0, &pair) == 0
    else {
      let reason = systemMessage(errno)
      Glibc.close(descriptor)
      throw .connectionLost(reason: "the socket cannot be used: \(reason)")
    }
    self.descriptor = descriptor
    bell = (pair[0], pair[1])
  }

  deinit {
    Glibc.close(descriptor)
    Glibc.close(bell.rope)
    Glibc.close(bell.clapper)
  }

  /// Ends both directions: the reader sees the end, the peer too.
  func shutDown() { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Makes ``waitForInput()`` return.
  func ring() {
    var one: UInt8 = 1
    // One byte from a local of one byte; a full socket has rung often enough.
    _ = unsafe send(bell.rope, &one, 1, Int32(MSG_NOSIGNAL))
  }

  /// Blocks until there is something to read, or somebody rang.
  func waitForInput() {
    var entries = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: bell.clapper, events: Int16(POLLIN), revents: 0),
    ]
    // As many entries as the count says; an interrupted wait only means one more round.
    _ = unsafe poll(&entries, nfds_t(entries.count), -1)
    var rung: UInt8 = 0
    // One byte into a local of one byte, as often as somebody rang.
    while unsafe Glibc.read(bell.clapper, &rung, 1) > 0 {}
  }

  /// Reads what is there, without blocking, into the beginning of `buffer`.
  func read(into buffer: inout [UInt8]) -> ReadResult {
    while true {
      // The buffer's own size bounds the read.
      let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
      if count > 0 { return .bytes(count) }
      if count == 0 { return .end }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .nothingNow
      case let code: return .failed(code)
      }
    }
  }

  /// Writes all of `bytes`.
  ///
  /// - Returns: nil when all is written, otherwise how many bytes were, and why no more.
  func write(_ bytes: [UInt8], until deadline: SuspendingClock.Instant) -> WriteFailure? {
    var written = 0
    while written < bytes.count {
      // The slice's own bytes and count; MSG_NOSIGNAL because a closed peer is no signal here.
      let count = unsafe bytes[written...].withUnsafeBytes {
        unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        written += count
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        guard pollOne(descriptor, for: POLLOUT, until: deadline) else {
          return WriteFailure(written: written, errno: EAGAIN)
        }
      case let code: return WriteFailure(written: written, errno: code)
      }
    }
    return nil
  }

  struct WriteFailure {
    var written: Int
    /// EAGAIN means that the deadline passed.
    var errno: Int32
  }
}
