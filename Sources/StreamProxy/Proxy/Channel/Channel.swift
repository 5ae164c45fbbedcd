/// One connection of the source that has been told apart and connected to the destination.
struct Channel: Sendable {
  let id: Int
  let role: ChannelRole
  let source: Socket
  let destination: Socket
  let outgoing: OutgoingWait
  let shortage: Shortage

  /// Ends both legs; whoever is blocked on them wakes up.
  func shutDown() {
    source.shutDown()
    destination.shutDown()
  }
}
