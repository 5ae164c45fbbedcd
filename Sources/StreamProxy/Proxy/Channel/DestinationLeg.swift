/// The connection to the destination. It is made only when there are bytes to send: a connection
/// that says nothing makes `-incoming` QEMU exit or block (`migration.c`,
/// migration_ioc_process_incoming).
struct DestinationLeg: Sendable {
  /// Bytes that may wait unsent in the kernel; with the input buffer and the listener's receive
  /// buffer this bounds what QEMU takes for sent and is not.
  static let maximumUnsent: Int32 = 128 * 1024

  let address: SocketAddress

  func dial() throws(SystemError) -> Socket {
    let socket = try Socket.connect(to: address)
    if case .tcp = address { socket.limitUnsent(to: DestinationLeg.maximumUnsent) }
    return socket
  }
}
