import Glibc
import Threads

/// The wait of a channel's thread until the destination takes more bytes.
///
/// A source that has closed may be done, and then every byte has to arrive; or it has given the migration
/// up, and a destination that has stalled must not hold up what follows: the end of this one, or the
/// recovery of a post-copy.
struct OutgoingWait: Sendable {
  /// How often a source that has closed is asked for its reason, in milliseconds.
  private static let interval: Int32 = 250
  /// How often one is asked that has not, as far as can be seen: over TCP the end of a connection stands
  /// behind bytes that do not come while nobody reads.
  private static let openInterval: Int32 = 1000

  let source: Socket
  /// Whether QEMU says that nothing more of this connection is wanted, which is known to have closed or is
  /// not. May block.
  let isGivenUp: @Sendable (_ hasClosed: Bool) -> Bool

  /// Blocks until `destination` takes bytes.
  ///
  /// - Parameter closedIsGivenUp: the source never closes before it has heard from the destination, so
  ///   there is nothing to ask.
  /// - Throws: where nobody wants them any more.
  func room(at destination: Socket, closedIsGivenUp: Bool = false) throws(ChannelFailure) {
    var hasClosed = false
    while true {
      let (taking, closed) = pollBoth(
        (destination.descriptor, Int16(POLLOUT)),
        (hasClosed ? -1 : source.descriptor, Int16(pollReadHangUp)),
        for: hasClosed ? OutgoingWait.interval : OutgoingWait.openInterval)
      if taking != 0 { return }
      hasClosed = hasClosed || closed != 0
      guard hasClosed && closedIsGivenUp || isGivenUp(hasClosed) else { continue }
      throw .source(SystemError("go on writing: the source has given up", code: ECONNRESET))
    }
  }

  /// Writes everything, blocking as ``room(at:closedIsGivenUp:)`` does.
  func write(_ bytes: [UInt8], to destination: Socket) throws(ChannelFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      // The slice is alive during the call.
      let sent = unsafe rest.withUnsafeBytes {
        unsafe send(
          destination.descriptor, $0.baseAddress, $0.count,
          Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if sent > 0 {
        rest = rest.dropFirst(sent)
        continue
      }
      let code = errno
      guard code == EAGAIN || code == EINTR else {
        throw .destination(SystemError("write to the destination", code: code))
      }
      try room(at: destination)
    }
  }
}
