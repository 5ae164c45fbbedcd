import Glibc

/// Writes pieces of other people's buffers to the destination, many in one call and none of them
/// copied, and measures what the destination takes.
@safe
struct GatheredWriter: ~Copyable {
  /// Linux takes at most IOV_MAX (1024) pieces in one call.
  private static let maximumPieces = 1024

  private let destination: Socket
  private let outgoing: OutgoingWait
  /// A source that has closed has given up, whatever it was about to say.
  var closedIsGivenUp = false
  private let pieces: UnsafeMutableBufferPointer<iovec>
  private var count = 0
  private(set) var bytesWritten = 0
  var rate: WireRate

  init(_ channel: Channel) {
    destination = channel.destination
    outgoing = channel.outgoing
    // Owned by this value, freed in deinit, used by one thread.
    unsafe pieces = .allocate(capacity: GatheredWriter.maximumPieces)
    rate = WireRate(now: .now)
  }

  deinit { unsafe pieces.deallocate() }

  /// Has `bytes` written after what has been added before; they must stay where they are until
  /// ``flush()``. Blocks where the pieces are as many as one call takes.
  mutating func add(_ bytes: UnsafeRawBufferPointer) throws(ChannelFailure) {
    guard bytes.count > 0 else { return }
    // Below the capacity: a full list is written at once.
    unsafe pieces[count] = iovec(
      iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    count += 1
    if count == GatheredWriter.maximumPieces { try flush() }
  }

  /// Writes all that has been added, blocking.
  mutating func flush() throws(ChannelFailure) {
    var first = 0
    var blocked = Duration.zero
    while first < count {
      var message = unsafe msghdr()
      // The pieces point into buffers that outlive the call.
      unsafe message.msg_iov = pieces.baseAddress! + first
      unsafe message.msg_iovlen = count - first
      var sent = unsafe sendmsg(
        destination.descriptor, &message, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      if sent < 0 {
        let code = errno
        guard code == EAGAIN || code == EINTR else {
          throw .destination(SystemError("write to the destination", code: code))
        }
        let from = ContinuousClock.now
        try outgoing.room(at: destination, closedIsGivenUp: closedIsGivenUp)
        blocked += from.duration(to: .now)
        continue
      }
      bytesWritten += sent
      rate.wrote(sent, at: .now, blockedFor: blocked)
      blocked = .zero
      // Pieces below `count` are initialised.
      while first < count, unsafe pieces[first].iov_len <= sent {
        unsafe sent -= pieces[first].iov_len
        first += 1
      }
      if sent > 0 {
        // A piece that was written in part: the rest of it is next.
        unsafe pieces[first].iov_base += sent
        unsafe pieces[first].iov_len -= sent
      }
    }
    count = 0
  }
}
