import Glibc

/// Where a QMP server listens.
public enum QMPAddress: Equatable, Sendable, CustomStringConvertible {
  case unix(path: String)
  case tcp(host: String, port: UInt16)

  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port): "tcp:\(host):\(port)"
    }
  }

  /// Connects a stream socket, by `deadline` at the latest.
  ///
  /// QEMU listens with a backlog of one, so behind a client that is served and one that queues a
  /// third cannot even connect; that too is reported as a socket held by another client.
  ///
  /// - Returns: a connected, non-blocking, close-on-exec descriptor that the caller owns.
  func connect(within timeout: Duration) throws(QMPError) -> Int32 {
    let deadline = SuspendingClock.now.advanced(by: timeout)
    switch self {
    case .unix(let path):
      return try connectUnix(path: path, timeout: timeout, deadline: deadline)
    case .tcp(let host, let port):
      return try connectTCP(host: host, port: port, deadline: deadline)
    }
  }

  private func connectUnix(
    path: String, timeout: Duration, deadline: SuspendingClock.Instant
  ) throws(QMPError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw failure("the path must have 1 to 107 bytes")
    }
    // The path fits with its closing zero, checked above; the structure starts out as zeros.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    let descriptor = try makeSocket(family: AF_UNIX)
    while true {
      // A sockaddr_un is passed as what connect(2) takes for any family, with its true size.
      let result = unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if result == 0 { return descriptor }
      let code = errno
      // Only a full backlog is worth waiting for; it has no event to poll for.
      guard code == EAGAIN || code == EINTR else {
        Glibc.close(descriptor)
        throw failure(systemMessage(code))
      }
      guard SuspendingClock.now < deadline else {
        Glibc.close(descriptor)
        throw .heldByAnotherClient(address: description, waited: timeout)
      }
      usleep(20_000)
    }
  }

  private func connectTCP(
    host: String, port: UInt16, deadline: SuspendingClock.Instant
  ) throws(QMPError) -> Int32 {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else { throw failure(unsafe String(cString: gai_strerror(code))) }
    // getaddrinfo succeeded, so `list` is its list, freed once, after the last use.
    defer { unsafe freeaddrinfo(list) }
    var reason = "the name has no address"
    var next = unsafe list
    while let candidate = unsafe next {
      let info = unsafe candidate.pointee
      unsafe next = info.ai_next
      let descriptor = try makeSocket(family: unsafe info.ai_family)
      var error = unsafe Glibc.connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 ? 0 : errno
      if error == EINPROGRESS { error = finishConnecting(descriptor, deadline: deadline) }
      if error == 0 { return descriptor }
      reason = systemMessage(error)
      Glibc.close(descriptor)
    }
    throw failure(reason)
  }

  /// Waits for a connection under way; 0 or the reason as an errno.
  private func finishConnecting(_ descriptor: Int32, deadline: SuspendingClock.Instant) -> Int32 {
    guard pollOne(descriptor, for: POLLOUT, until: deadline) else { return ETIMEDOUT }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    // SO_ERROR is an int, and `size` says that there is room for one.
    guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) == 0 else {
      return errno
    }
    return error
  }

  private func makeSocket(family: Int32) throws(QMPError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw failure(systemMessage(errno)) }
    return descriptor
  }

  private func failure(_ reason: String) -> QMPError {
    .cannotConnect(address: description, reason: reason)
  }
}

/// The text of an errno.
func systemMessage(_ code: Int32) -> String {
  var text = [CChar](repeating: 0, count: 256)
  // strerror_r writes at most as many bytes as the array has, and ends them with a zero.
  guard unsafe strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Waits until `descriptor` has one of `events`, or `deadline` has passed.
///
/// - Returns: whether the descriptor is ready; errors count as ready, the next call on it tells.
func pollOne(
  _ descriptor: Int32, for events: Int32, until deadline: SuspendingClock.Instant
) -> Bool {
  while true {
    let left = max(SuspendingClock.now.duration(to: deadline), .zero)
    let (seconds, attoseconds) = min(left, .seconds(86_400)).components
    // Rounded up, so that a wait of less than a millisecond does not become a busy loop.
    let attosecondsPerMillisecond: Int64 = 1_000_000_000_000_000
    let fraction = (attoseconds + attosecondsPerMillisecond - 1) / attosecondsPerMillisecond
    let milliseconds = Int32(seconds * 1000 + fraction)
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    // One entry, and the count says so.
    let result = unsafe poll(&entry, 1, milliseconds)
    if result > 0 { return true }
    if SuspendingClock.now >= deadline { return false }
  }
}
