import Glibc

extension Socket {
  /// Looks at the first bytes without taking them, waiting for as many as are needed; nil where the
  /// stream ends before.
  func peekKind() -> ChannelKind? {
    var bytes = [UInt8](repeating: 0, count: ChannelKind.bytesNeeded)
    // A source writes all of them at once; who does not may never.
    var pause = Duration.milliseconds(1)
    while true {
      // The kernel writes at most `count` bytes into the array.
      let count = unsafe bytes.withUnsafeMutableBytes {
        unsafe recv(descriptor, $0.baseAddress, $0.count, Int32(MSG_PEEK) | Int32(MSG_WAITALL))
      }
      if count == bytes.count { return ChannelKind(firstBytes: bytes) }
      if count == 0 || count < 0 && errno != EINTR || peerHasClosed { return nil }
      // A unix socket does not wait for more (unix(7) ignores MSG_WAITALL while peeking).
      usleep(useconds_t(pause / .microseconds(1)))
      pause = min(pause * 2, .milliseconds(128))
    }
  }
}
