import CGuestSystem
import Glibc

/// The guardian's listening socket.
enum LocalListener {
  /// Makes the socket, and its directory where that is missing. One that nobody serves any more is
  /// replaced.
  ///
  /// - Throws: ``SystemError``; EADDRINUSE where another guardian serves it.
  static func open(_ path: String, group: UInt32?) throws(SystemError) -> Descriptor {
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      // Paths are alive during the calls they are given to, here and below.
      unsafe mkdir(String(path[..<slash]), 0o755)
    }
    let other = unsafe leafcutter_guest_connect_unix(path)
    if other >= 0 {
      close(other)
      throw SystemError("listen on \(path), where another guardian answers", code: EADDRINUSE)
    }
    if errno == ECONNREFUSED { unsafe unlink(path) }
    // Nobody may connect between bind(2) and chmod(2) who may not do so later.
    let mask = umask(0o177)
    let listener = unsafe leafcutter_guest_listen_unix(path)
    let reason = errno
    umask(mask)
    guard listener >= 0 else { throw SystemError("listen on \(path)", code: reason) }
    let descriptor = Descriptor(owning: listener)
    if let group {
      guard unsafe chown(path, 0, group) == 0, unsafe chmod(path, 0o660) == 0 else {
        throw SystemError("give \(path) to group \(group)")
      }
    }
    return descriptor
  }
}
