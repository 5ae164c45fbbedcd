import Glibc
import PageFilter

/// Writes what the editor has decided to the destination: ranges of the input buffer and inserted
/// bytes, gathered into few large writes without copying either.
@safe
struct StreamWriter: ~Copyable {
  /// Linux takes at most IOV_MAX (1024) pieces in one call.
  private static let maximumPieces = 1024

  private let destination: Socket
  private let outgoing: OutgoingWait
  /// A source that has closed has given up, whatever it was about to say.
  var closedIsGivenUp = false
  private let pieces: UnsafeMutableBufferPointer<iovec>
  private(set) var bytesWritten = 0
  private(set) var rate: WireRate

  init(_ channel: Channel) {
    destination = channel.destination
    outgoing = channel.outgoing
    // Owned by this value, freed in deinit, used by one thread.
    unsafe pieces = .allocate(capacity: StreamWriter.maximumPieces)
    rate = WireRate(now: .now)
  }

  deinit { unsafe pieces.deallocate() }

  /// Writes all segments of `edits`, blocking; `input` is what the editor was given.
  mutating func write(
    _ edits: borrowing EditList, of input: UnsafeRawBufferPointer
  ) throws(ChannelFailure) {
    var count = 0
    let inserted = unsafe edits.insertedBytes
    for index in 0..<edits.segmentCount {
      let segment = edits[segment: index]
      // The editor's ranges lie inside the buffer that they speak of (its tests and fuzzer say so).
      let bytes =
        switch segment {
        case .forward(let range): unsafe UnsafeRawBufferPointer(rebasing: input[range])
        case .insert(let range): unsafe UnsafeRawBufferPointer(rebasing: inserted[range])
        }
      unsafe pieces[count] = iovec(
        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      count += 1
      if count == StreamWriter.maximumPieces {
        try flush(count)
        count = 0
      }
    }
    if count > 0 { try flush(count) }
  }

  private mutating func flush(_ count: Int) throws(ChannelFailure) {
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
  }
}
