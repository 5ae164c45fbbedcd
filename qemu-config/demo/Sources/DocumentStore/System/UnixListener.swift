import Glibc

/// A listening unix socket; both calls give non-blocking descriptors.
enum UnixListener {
  static func listen(_ path: String) throws(SystemError) -> Int32 {
    let action = "listen on unix:\(path)"
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw SystemError(action, code: ENAMETOOLONG)
    }
    // The path fits, and the rest of the field is zero.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError(action) }
    // The address is alive during the call and has the size that is given.
    let bound = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard bound == 0, Glibc.listen(descriptor, 1) == 0 else {
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
}
