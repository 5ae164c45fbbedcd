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

  let source: Socket
  /// Whether QEMU says that nothing more of this connection is wanted. May block.
  let isGivenUp: @Sendable () -> Bool

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
        for: hasClosed ? OutgoingWait.interval : -1)
      if taking != 0 { return }
      hasClosed = hasClosed || closed != 0
      guard hasClosed, closedIsGivenUp || isGivenUp() else { continue }
      throw .source(SystemError("go on writing: the source has closed", code: ECONNRESET))
    }
  }
}
