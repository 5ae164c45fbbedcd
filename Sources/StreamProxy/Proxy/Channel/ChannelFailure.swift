/// Why a channel ended before the source had said everything.
enum ChannelFailure: Error {
  /// Ours: both legs are to be closed, or the source is to get its guest back first (``RefusedSwitchover``).
  case closeBoth(String)
  /// The same, because another channel has ended; why that did explains more.
  case channelEnded(String)
  case destination(SystemError)
  case source(SystemError)
}

/// How a source has ended its main channel.
struct SourceEnd {
  /// In the middle of what, where that can be seen.
  var truncation: String?
  /// Where it is no clean end.
  var failure: SystemError?

  var reason: String {
    failure?.description ?? truncation ?? "the source closed the connection"
  }
}
