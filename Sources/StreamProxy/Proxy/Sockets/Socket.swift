import CProxySystem
import Glibc
import Threads

/// A connected stream socket. The threads of one migration share it: one reads it, another writes
/// it, and any may shut it down, which wakes both. The descriptor is closed with the last reference,
/// so that no thread ever uses a number that has been given to somebody else.
public final class Socket: Sendable {
  public let descriptor: Int32

  /// Takes ownership of a connected descriptor.
  public init(owning descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// - Throws: ``SystemError``, for instance where nobody listens.
  public static func connect(to address: SocketAddress) throws(SystemError) -> Socket {
    let action = "connect to \(address)"
    var failure = SystemError(action, code: EADDRNOTAVAIL)
    for candidate in try ResolvedAddress.resolve(address, toListen: false, action: action) {
      do throws(SystemError) {
        let socket = Socket(owning: try candidate.makeSocket(action: action))
        if candidate.connect(socket.descriptor) { return socket }
        failure = SystemError(action)
      } catch {
        // A family that this host has not.
        failure = error
      }
    }
    throw failure
  }

  /// Each address is waited for at least so long, even where the time for all is over.
  private static let leastPatience = Duration.seconds(1)

  /// The same with a time limit for all of its addresses together. Each gets its part of what is left, and a second
  /// at least.
  ///
  /// - Parameter blocks: whether calls on the connected socket block.
  /// - Throws: ``SystemError``; its code is EAGAIN where a unix socket's queue of connections stayed full,
  ///   and ETIMEDOUT where a TCP connection was not made in time.
  static func connect(
    to address: SocketAddress, within timeout: Duration, blocks: Bool = false
  ) throws(SystemError) -> Socket {
    let action = "connect to \(address)"
    let deadline = SuspendingClock.now + timeout
    var failure = SystemError(action, code: EADDRNOTAVAIL)
    let candidates = try ResolvedAddress.resolve(address, toListen: false, action: action)
    for (index, candidate) in candidates.enumerated() {
      let socket: Socket
      do throws(SystemError) {
        socket = Socket(owning: try candidate.makeSocket(action: action, blocks: false))
      } catch {
        failure = error
        continue
      }
      var code = candidate.connect(socket.descriptor) ? 0 : errno
      // Only a unix socket's full queue is worth waiting for; it has no event to poll for.
      while code == EINTR || code == EAGAIN && candidate.family == AF_UNIX,
        SuspendingClock.now < deadline
      {
        usleep(20_000)
        code = candidate.connect(socket.descriptor) ? 0 : errno
      }
      if code == EINPROGRESS {
        let part = SuspendingClock.now.duration(to: deadline) / (candidates.count - index)
        code = socket.finishConnecting(within: max(part, leastPatience))
      }
      if code == 0 {
        if blocks { socket.block() }
        return socket
      }
      failure = SystemError(action, code: code)
    }
    throw failure
  }

  private func block() {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
  }

  /// Waits for a connection under way; 0 or the reason as an errno.
  private func finishConnecting(within timeout: Duration) -> Int32 {
    guard wait(descriptor, POLLOUT, or: nil, for: timeout) == .ready else { return ETIMEDOUT }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    // SO_ERROR is an int, and `size` says that there is room for one.
    let result = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
    return result == 0 ? error : errno
  }

  /// Ends both directions; everyone who is blocked on the socket wakes up.
  public func shutDown() { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Says "end of stream" to the peer and goes on reading.
  public func shutDownWriting() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

  /// For a TCP leg: small writes go out at once.
  func sendAtOnce() { setSocketOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

  /// For a TCP leg towards a destination: at most `unsent` bytes wait unsent in the kernel (tcp(7),
  /// TCP_NOTSENT_LOWAT), because QEMU takes what is absorbed for sent.
  func limitUnsent(to unsent: Int32) {
    setSocketOption(descriptor, Int32(IPPROTO_TCP), notSentLowWaterMark, unsent)
  }

  /// A write that blocks for longer ends with what it has moved, or with EAGAIN (socket(7), SO_SNDTIMEO);
  /// ``writeAll(_:)`` must not be used then.
  func limitWriting(to time: Duration) {
    let microseconds = Int(time / .microseconds(1))
    var limit = timeval(tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
    // The option's value is a timeval, alive during the call.
    _ = unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// For a TCP leg from a source: about as many bytes wait in the kernel for being read.
  ///
  /// - Returns: what the kernel grants, which `net.core.rmem_max` bounds (socket(7): it doubles what it is
  ///   asked for, for its own bookkeeping).
  func limitReceived(to bytes: Int) -> Int {
    setSocketOption(descriptor, SOL_SOCKET, SO_RCVBUF, Int32(clamping: bytes))
    var granted: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // An int and its length, alive during the call.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &granted, &length) == 0 else {
      return bytes
    }
    return Int(granted) / 2
  }

  /// Whether it is a socket of this host's own, which takes none of TCP's options.
  var isUnix: Bool { leafcutter_is_unix(descriptor) == 1 }

  /// Whether the peer has closed or reset its side; nothing is read.
  var peerHasClosed: Bool {
    var item = pollfd(fd: descriptor, events: Int16(pollReadHangUp), revents: 0)
    // One element, alive during the call.
    let ready = unsafe poll(&item, 1, 0)
    return ready > 0 && Int32(item.revents) & (pollReadHangUp | POLLHUP | POLLERR) != 0
  }

  /// Reads once. 0 means end of stream.
  public func read(
    into buffer: UnsafeMutableRawBufferPointer, flags: Int32 = 0
  ) throws(SystemError) -> Int {
    while true {
      // The kernel writes at most `count` bytes into the caller's buffer.
      let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, flags)
      if count >= 0 { return count }
      guard errno == EINTR else { throw SystemError("read from a socket") }
    }
  }

  /// Writes everything, blocking.
  public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    var rest = unsafe bytes
    while rest.count > 0 {
      // The kernel reads at most `count` bytes from the caller's buffer.
      let count = unsafe send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
      if count < 0 {
        guard errno == EINTR else { throw SystemError("write to a socket") }
        continue
      }
      unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count..<rest.count])
    }
  }
}

extension Socket {
  /// Reads once into an array, after its first `start` bytes. 0 means end of stream.
  func read(into bytes: inout [UInt8], from start: Int) throws(SystemError) -> Int {
    // The rest of the array, which lives through the call.
    let result = unsafe bytes.withUnsafeMutableBytes { buffer in
      Result { () throws(SystemError) in
        try unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
      }
    }
    return try result.get()
  }

  /// Writes once, from `start` on, what the kernel takes.
  ///
  /// - Returns: how many bytes it took.
  func write(_ bytes: [UInt8], from start: Int) throws(SystemError) -> Int {
    while true {
      // The slice's own bytes and count; MSG_NOSIGNAL because a closed peer is no signal here.
      let count = unsafe bytes[start...].withUnsafeBytes {
        unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count >= 0 { return count }
      guard errno == EINTR else { throw SystemError("write to a socket") }
    }
  }

  /// Writes everything, blocking.
  func writeAll(_ bytes: [UInt8]) throws(SystemError) {
    // As above.
    let result = unsafe bytes.withUnsafeBytes { buffer in
      Result { () throws(SystemError) in try unsafe writeAll(buffer) }
    }
    return try result.get()
  }
}

func setSocketOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
  var value = value
  // The option's value is an int, alive during the call. Options are wishes: a refusal is no error.
  _ = unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
}

/// TCP_NOTSENT_LOWAT of linux/tcp.h; the Glibc overlay does not carry it.
private let notSentLowWaterMark: Int32 = 25
/// POLLRDHUP of poll(2); likewise.
let pollReadHangUp: Int32 = 0x2000
