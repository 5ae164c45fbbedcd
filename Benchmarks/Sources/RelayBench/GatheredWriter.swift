import Glibc
import StreamProxy

/// Writes pages with what stands before them, in pieces that are not copied together: as QEMU does.
@safe
struct GatheredWriter: ~Copyable {
  private let socket: Socket
  private let pieces: UnsafeMutableBufferPointer<iovec>
  private var count = 0

  init(_ socket: Socket, maximumPieces: Int) {
    self.socket = socket
    // Owned by this value, freed in deinit, used by one thread.
    unsafe pieces = .allocate(capacity: maximumPieces)
  }

  deinit { unsafe pieces.deallocate() }

  var isFull: Bool { unsafe count == pieces.count }

  /// - Parameter bytes: must stay as they are until the next ``flush()``.
  mutating func add(_ bytes: UnsafeRawPointer, _ length: Int) {
    precondition(!isFull)
    unsafe pieces[count] = iovec(
      iov_base: UnsafeMutableRawPointer(mutating: bytes), iov_len: length)
    count += 1
  }

  /// Writes what has been added, blocking.
  mutating func flush() throws {
    var first = 0
    while first < count {
      var message = unsafe msghdr()
      // The pieces point into memory that outlives the call.
      unsafe message.msg_iov = pieces.baseAddress! + first
      unsafe message.msg_iovlen = count - first
      var sent = unsafe sendmsg(socket.descriptor, &message, Int32(MSG_NOSIGNAL))
      if sent < 0 {
        guard errno == EINTR else {
          throw BenchError("the source could not write: \(errorText(errno))")
        }
        continue
      }
      // Pieces below `count` are initialised.
      while first < count, unsafe pieces[first].iov_len <= sent {
        unsafe sent -= pieces[first].iov_len
        first += 1
      }
      if sent > 0 {
        unsafe pieces[first].iov_base += sent
        unsafe pieces[first].iov_len -= sent
      }
    }
    count = 0
  }
}

/// What the system calls an error.
func errorText(_ code: Int32) -> String {
  // strerror's text is copied at once.
  unsafe String(cString: strerror(code))
}
