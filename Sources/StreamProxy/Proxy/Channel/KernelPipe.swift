import CProxySystem
import Glibc
import Threads

/// Moves bytes from one socket to another, or to nowhere, inside the kernel (splice(2)).
///
/// Whatever is taken from the source is handed on before more is taken, so no more than the pipe's
/// capacity is ever between the two sockets' own buffers.
struct KernelPipe: ~Copyable {
  static let capacity = 256 * 1024
  /// One for all: a channel shall not cost more descriptors than it must.
  private static let null = leafcutter_open_null()

  /// Opens what all pipes need, while descriptors are to be had.
  static func prepare() throws(SystemError) {
    guard null >= 0 else { throw SystemError("open /dev/null") }
  }

  private let readEnd: Int32
  private let writeEnd: Int32
  private let source: Socket
  private let outgoing: OutgoingWait
  private let sourceIsUnix: Bool

  /// - Throws: ``ChannelFailure/source(_:)`` where there was no descriptor until the source ended.
  init(of channel: Channel) throws(ChannelFailure) {
    do throws(SystemError) { try KernelPipe.prepare() } catch { throw .source(error) }
    var reading: Int32 = -1
    var writing: Int32 = -1
    // Two locals to write to.
    while unsafe leafcutter_pipe(&reading, &writing, Int32(KernelPipe.capacity)) != 0 {
      let error = SystemError("make a pipe")
      guard channel.shortage.ridesOut(error, for: channel.source) else { throw .source(error) }
    }
    readEnd = reading
    writeEnd = writing
    source = channel.source
    outgoing = channel.outgoing
    sourceIsUnix = source.isUnix
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// Moves at most `count` bytes, blocking until there are some; how many it moved, 0 at the end of
  /// the source.
  func forward(
    atMost count: Int, to destination: Socket, rate: inout WireRate
  ) throws(ChannelFailure) -> Int {
    let taken = try take(min(count, KernelPipe.capacity))
    var left = taken
    var blocked = Duration.zero
    while left > 0 {
      let from = ContinuousClock.now
      // Not tried first: splice(2) heeds O_NONBLOCK of the socket, which its readers do not bear, and not its
      // own SPLICE_F_NONBLOCK (Linux 6.18, TCP and unix: it blocks in a full socket; fs/splice.c).
      try outgoing.room(at: destination)
      let ready = ContinuousClock.now
      let moved = leafcutter_splice(readEnd, destination.descriptor, left)
      let code = errno
      let now = ContinuousClock.now
      // A call that only copies takes less; a longer one has waited for the peer.
      let inside = ready.duration(to: now)
      blocked += from.duration(to: ready) + (inside > .milliseconds(1) ? inside : .zero)
      guard moved > 0 else {
        // EAGAIN: there was room for less than all, and the limit of a write's time is over.
        if moved < 0 && (code == EINTR || code == EAGAIN) { continue }
        throw .destination(SystemError("write to the destination", code: code))
      }
      rate.wrote(moved, at: now, blockedFor: blocked)
      blocked = .zero
      left -= moved
    }
    return taken
  }

  /// Takes `count` bytes and throws them away; false where the source ended before.
  func discard(_ count: Int) throws(ChannelFailure) -> Bool {
    var left = count
    while left > 0 {
      if sourceIsUnix {
        // MSG_TRUNC discards nothing on a unix stream socket.
        let taken = try take(min(left, KernelPipe.capacity))
        guard taken > 0 else { return false }
        var inPipe = taken
        while inPipe > 0 {
          let gone = leafcutter_splice(readEnd, KernelPipe.null, inPipe)
          guard gone > 0 else { throw .source(SystemError("discard from a pipe")) }
          inPipe -= gone
        }
        left -= taken
      } else {
        let gone = leafcutter_discard_tcp(source.descriptor, left)
        if gone < 0 && errno == EINTR { continue }
        guard gone >= 0 else { throw .source(SystemError("read from a socket")) }
        guard gone > 0 else { return false }
        left -= gone
      }
    }
    return true
  }

  private func take(_ count: Int) throws(ChannelFailure) -> Int {
    while true {
      let taken = leafcutter_splice(source.descriptor, writeEnd, count)
      if taken >= 0 { return taken }
      guard errno == EINTR else { throw .source(SystemError("read from a socket")) }
    }
  }
}
