import Glibc

/// A listening unix socket; both calls give non-blocking descriptors.
enum UnixListener {
  static func listen(_ path: String) throws(SystemError) -> Int32 {
    let action = "listen on unix:\(path)"
    try removeStale(path, action)
    let descriptor = try makeSocket(action)
    // The address is lent for the call.
    let bound = try unsafe withAddress(path, action) { unsafe bind(descriptor, $0, $1) }
    guard bound == 0, Glibc.listen(descriptor, 1) == 0 else {
      let error = SystemError(action)
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// Connects to a listening socket; blocking, for a host's end.
  static func connect(_ path: String) throws(SystemError) -> Int32 {
    let action = "connect to unix:\(path)"
    let descriptor = try makeSocket(action)
    // The address is lent for the call.
    let connected = try unsafe withAddress(path, action) {
      unsafe Glibc.connect(descriptor, $0, $1)
    }
    guard connected == 0 else {
      let error = SystemError(action)
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// A connection, or −1 where none waits.
  static func accept(_ listener: Int32) -> Int32 {
    // The peer's address is not asked for.
    let descriptor = Glibc.accept(listener, nil, nil)
    guard descriptor >= 0 else { return -1 }
    // accept4 is not in Swift's Glibc. Setting a flag of a fresh socket cannot fail.
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    return descriptor
  }

  /// A socket file that nobody listens on is left from a store that has ended; one that somebody listens
  /// on is theirs, and binding to it will fail.
  private static func removeStale(_ path: String, _ action: String) throws(SystemError) {
    var status = stat()
    // The result is written to a local of the right type.
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
    let probe = try makeSocket(action)
    defer { close(probe) }
    // The address is lent for the call.
    let connected = try unsafe withAddress(path, action) { unsafe Glibc.connect(probe, $0, $1) }
    // The path is a string for the duration of the call.
    if connected != 0, errno == ECONNREFUSED { _ = unsafe unlink(path) }
  }

  private static func makeSocket(_ action: String) throws(SystemError) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError(action) }
    return descriptor
  }

  /// Lends the path as a socket address for the duration of the call.
  private static func withAddress(
    _ path: String, _ action: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(SystemError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw SystemError(action, code: ENAMETOOLONG)
    }
    // The path fits, and the rest of the field is zero.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    // The address has the size that is given and is alive during the call.
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
