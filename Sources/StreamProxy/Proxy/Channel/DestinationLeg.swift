import Synchronization

/// The connections to the destination. One is made only when there are bytes to send: a connection
/// that says nothing makes `-incoming` QEMU exit or block (`migration.c`,
/// migration_ioc_process_incoming).
final class DestinationLeg: Sendable {
  /// Bytes that may wait unsent in the kernel; with the input buffer and the listener's receive
  /// buffer this bounds what QEMU takes for sent and is not.
  static let maximumUnsent: Int32 = 128 * 1024

  private let target: Mutex<SocketAddress>

  init(address: SocketAddress) { target = Mutex(address) }

  /// Where the next connection is made to; a recovery's destination listens at another port.
  var address: SocketAddress {
    get { target.withLock { $0 } }
    set { target.withLock { $0 = newValue } }
  }

  func dial() throws(SystemError) -> Socket {
    let address = address
    let socket = try Socket.connect(to: address)
    if case .tcp = address { socket.limitUnsent(to: DestinationLeg.maximumUnsent) }
    return socket
  }
}
