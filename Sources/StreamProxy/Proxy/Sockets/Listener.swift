import CProxySystem
import Glibc
import Threads

/// A listening socket that QEMU's `migrate` connects to.
public final class Listener: Sendable {
  public let address: SocketAddress
  private let descriptor: Int32
  private let receiveBuffer: Int32
  private let stop: WakeUp
  /// A source makes its multifd connections, at most 255, at once; a SYN that finds no room comes again after
  /// a second.
  private static let backlog: Int32 = 300

  /// - Parameters:
  ///   - receiveBuffer: SO_RCVBUF of the accepted sockets in bytes.
  ///   - largestReceiveBuffer: what it may be raised to later: how far a connection's window can be
  ///     scaled is settled when it is made (tcp(7)).
  ///   - ownerOnly: a unix socket that nobody but its owner can connect to (mode 0600).
  /// - Throws: ``SystemError``, for instance where the port is in use.
  public init(
    _ address: SocketAddress, receiveBuffer: Int32, largestReceiveBuffer: Int32? = nil,
    ownerOnly: Bool = false
  ) throws(SystemError) {
    self.address = address
    self.receiveBuffer = receiveBuffer
    stop = try WakeUp.make()
    let action = "listen on \(address)"
    if case .unix(let path) = address { try Listener.removeStale(path, action: action) }
    var failure = SystemError(action, code: EADDRNOTAVAIL)
    for candidate in try ResolvedAddress.resolve(address, toListen: true, action: action) {
      let socket: Int32
      do throws(SystemError) {
        socket = try candidate.makeSocket(action: action)
      } catch {
        // A family that this host has not.
        failure = error
        continue
      }
      setSocketOption(socket, SOL_SOCKET, SO_REUSEADDR, 1)
      setSocketOption(socket, SOL_SOCKET, SO_RCVBUF, largestReceiveBuffer ?? receiveBuffer)
      // Between bind and listen nobody can connect, so the mode is never too wide.
      if candidate.bind(socket), !ownerOnly || Listener.restrict(address),
        listen(socket, Listener.backlog) == 0
      {
        descriptor = socket
        return
      }
      failure = SystemError(action)
      close(socket)
    }
    throw failure
  }

  deinit {
    // In this order: as soon as nobody listens there, the file may be another program's.
    if case .unix(let path) = address { Listener.remove(path) }
    close(descriptor)
  }

  /// Waits for the next connection; nil after ``cancel()``.
  ///
  /// - Throws: ``SystemError``; where ``Shortage/explains(_:)`` it, it may be called again in a while.
  public func accept() throws(SystemError) -> Socket? {
    while true {
      guard waitReadable(descriptor, or: stop) == .ready else { return nil }
      let accepted = leafcutter_accept(descriptor)
      if accepted >= 0 {
        setSocketOption(accepted, SOL_SOCKET, SO_RCVBUF, receiveBuffer)
        let socket = Socket(owning: accepted)
        // The return path's page requests are small, and a guest waits for each.
        if case .tcp = address { socket.sendAtOnce() }
        return socket
      }
      guard errno == EINTR || Listener.pending.contains(errno) else {
        throw SystemError("accept a connection on \(address)")
      }
    }
  }

  /// What is wrong with one connection and not with the listener: its peer has gone between the two calls,
  /// or Linux passes an error on that was pending on it (accept(2), "Error handling").
  private static let pending: Set<Int32> = [
    ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
    ENETUNREACH, EPERM, ETIMEDOUT,
  ]

  /// Waits; false where ``cancel()`` was called.
  func pause(for time: Duration) -> Bool { !stop.wait(for: time) }

  /// Makes a waiting ``accept()`` and every later one return nil.
  public func cancel() { stop.raise() }

  private static func restrict(_ address: SocketAddress) -> Bool {
    guard case .unix(let path) = address else { return false }
    // The path is a string for the duration of the call.
    return unsafe chmod(path, 0o600) == 0
  }

  private static func remove(_ path: String) {
    // The path is a string for the duration of the call; a file that is gone is fine.
    _ = unsafe unlink(path)
  }

  /// A socket file that nobody listens on is left from a proxy that was killed; one that somebody
  /// listens on is theirs.
  private static func removeStale(_ path: String, action: String) throws(SystemError) {
    var status = stat()
    // The result is written to a local of the right type.
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
    guard !mayBeListenedOn(path) else { throw SystemError(action, code: EADDRINUSE) }
    remove(path)
  }

  /// A QEMU that waits there for its migration would take a connection for that, and end. The kernel's list has the
  /// sockets of this network namespace; one of another's is asked, and only one that refuses is nobody's.
  private static func mayBeListenedOn(_ path: String) -> Bool {
    if UnixSocketList.hasListener(at: path) { return true }
    do {
      _ = try Socket.connect(to: .unix(path: path), within: .seconds(1))
      return true
    } catch {
      return error.code != ECONNREFUSED
    }
  }
}
