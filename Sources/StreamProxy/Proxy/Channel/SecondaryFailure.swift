import Synchronization

/// What ended a channel other than the main one first. A recovery takes the place of all connections, and what
/// ends one of those that broke later says nothing about it.
final class SecondaryFailure: Sendable {
  private struct State {
    var first: ChannelFailure?
    var connections = 0
  }

  private let state = Mutex(State())

  var first: ChannelFailure? { state.withLock { $0.first } }

  /// The number of the connections that there are now.
  var connections: Int { state.withLock { $0.connections } }

  /// Takes it for the first where there was none before.
  ///
  /// - Parameter connections: those to which the channel belonged; nil for the ones that there are now.
  func note(_ failure: ChannelFailure, of connections: Int? = nil) {
    state.withLock { state in
      guard state.first == nil, connections ?? state.connections == state.connections else {
        return
      }
      state.first = failure
    }
  }

  /// Takes it for what ended the migration, whatever was noted before.
  func set(_ failure: ChannelFailure) { state.withLock { $0.first = failure } }

  /// Others take the connections' place.
  func forget() {
    state.withLock { state in
      state.first = nil
      state.connections += 1
    }
  }
}
