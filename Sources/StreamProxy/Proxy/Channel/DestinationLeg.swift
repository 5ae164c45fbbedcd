import Glibc
import Synchronization

/// The connections to the destination. One is made only when there are bytes to send: a connection
/// that says nothing makes `-incoming` QEMU exit or block (`migration.c`,
/// migration_ioc_process_incoming).
final class DestinationLeg: Sendable {
  /// How long one write may block. splice(2) can be bounded in no other way, and whoever is blocked in it
  /// does not see that the source has closed (``OutgoingWait``).
  private static let writingTime = Duration.milliseconds(250)

  /// A host that drops what is sent to it would hold up a migration for minutes that its source may have given up.
  private static let dialingTime = Duration.seconds(30)

  private let target: Mutex<SocketAddress>

  init(address: SocketAddress) { target = Mutex(address) }

  /// Where the next connection is made to; a recovery's destination listens at another port.
  var address: SocketAddress {
    get { target.withLock { $0 } }
    set { target.withLock { $0 = newValue } }
  }

  func dial() throws(SystemError) -> Socket {
    let address = address
    let socket: Socket
    do throws(SystemError) {
      socket = try Socket.connect(to: address, within: DestinationLeg.dialingTime, blocks: true)
    } catch {
      // A unix socket's queue that has stayed full: nobody accepts there, and nothing is short here.
      throw error.code == EAGAIN ? SystemError(error.action, code: ETIMEDOUT) : error
    }
    socket.limitWriting(to: DestinationLeg.writingTime)
    if case .tcp = address {
      socket.sendAtOnce()
      socket.limitUnsent(to: Int32(BytesInFlight.smallestBuffer))
    }
    return socket
  }
}
