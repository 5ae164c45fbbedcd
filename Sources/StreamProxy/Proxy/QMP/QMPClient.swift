import CProxySystem
import FoundationEssentials
import Glibc

/// A QMP client for blocking threads.
///
/// One thread of its own reads; any thread may send a command and waits for the reply, which is
/// matched by id, so several may be under way. Every call has a time limit. Events go to ``events``.
/// When the connection ends, every waiting and every later call fails with the reason.
///
/// QEMU runs commands one after the other in its main loop: a command sent while another hangs there
/// waits for that one.
public final class QMPClient: Sendable {
  /// A longer message ends the connection. `info mtree -f` of a large guest has some 100 KiB; this
  /// only bounds what a broken peer can make the proxy hold.
  public static let maximumMessage = 16 * 1024 * 1024

  public let version: QEMUVersion
  /// What QEMU's events have told since the connection was made.
  public let events: MigrationWitness
  /// The process that listens there, by its number; nil over TCP. Where libvirt has made the socket for
  /// QEMU it is libvirt (unix(7), SO_PEERCRED).
  public let peer: Int32?
  private let connection: QMPConnection

  /// Connects, waits for the greeting, negotiates no optional capability and asks whether the guest
  /// runs.
  ///
  /// - Parameter greetingTimeout: bounds each of connecting, greeting and the two first commands.
  /// - Throws: ``QMPError/heldByAnotherClient(address:waited:)`` when nobody greets in time.
  public static func connect(
    to address: SocketAddress, greetingTimeout: Duration = .seconds(5)
  ) throws(QMPError) -> QMPClient {
    let socket: Socket
    do {
      socket = try Socket.connect(to: address, within: greetingTimeout)
    } catch  where error.code == EAGAIN {
      // QEMU listens with a backlog of one, so behind a client that is served and one that queues a
      // third cannot even connect.
      throw .heldByAnotherClient(address: address.description, waited: greetingTimeout)
    } catch {
      throw .cannotConnect(address: address.description, reason: error.text)
    }
    return try QMPClient(
      socket, address: address.description, greetingTimeout: greetingTimeout)
  }

  private init(
    _ socket: Socket, address: String, greetingTimeout: Duration
  ) throws(QMPError) {
    let process = leafcutter_peer(socket.descriptor)
    peer = process > 0 ? process : nil
    let connection = try QMPConnection(socket: QMPSocket(socket), address: address)
    do {
      version = try connection.waitForGreeting(within: greetingTimeout)
      self.connection = connection
      events = connection.witness
      try execute("qmp_capabilities", timeout: greetingTimeout)
      let status = try queryStatus(timeout: greetingTimeout)
      connection.witness.begin(
        isStopped: !status.running && status.status != "suspended",
        isSuspended: status.status == "suspended")
    } catch {
      // The reader thread keeps the connection alive until the socket ends.
      connection.fail(.closed)
      throw error
    }
  }

  deinit { connection.fail(.closed) }

  /// Ends the connection, so that QEMU's socket is free for another client; callable any number of
  /// times from any thread.
  public func close() { connection.fail(.closed) }

  /// Runs a command and returns what its reply holds under `return`.
  ///
  /// - Parameter timeout: for sending and the reply together.
  public func execute<Result: Decodable>(
    _ command: String, arguments: (some Encodable)?, returning: Result.Type = Result.self,
    timeout: Duration = .seconds(10)
  ) throws(QMPError) -> Result {
    let reply = try connection.call(command, timeout: timeout) { id in
      try QMPRequest(execute: command, arguments: arguments, id: id).encoded()
    }
    do {
      return try QMPReturn<Result>.decode(reply)
    } catch {
      throw .unexpectedReply(command: command, detail: "\(error)")
    }
  }

  /// Runs a command without arguments.
  public func execute<Result: Decodable>(
    _ command: String, returning: Result.Type = Result.self, timeout: Duration = .seconds(10)
  ) throws(QMPError) -> Result {
    try execute(command, arguments: QMPNothing?.none, returning: returning, timeout: timeout)
  }

  /// Runs a command that returns nothing.
  public func execute(
    _ command: String, arguments: (some Encodable)? = QMPNothing?.none,
    timeout: Duration = .seconds(10)
  ) throws(QMPError) {
    _ = try execute(command, arguments: arguments, returning: QMPNothing.self, timeout: timeout)
  }
}

/// An empty JSON object: the reply of a command that returns nothing.
public struct QMPNothing: Codable, Sendable {
  public init() {}
}
