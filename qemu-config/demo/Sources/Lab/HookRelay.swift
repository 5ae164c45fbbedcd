import StreamProxy
import Synchronization
import Threads

/// Stands between a proxy and a guest's hook port, so that the link can be cut while both live.
public final class HookRelay: Sendable {
  /// What the proxy connects to.
  public let path: String
  private let listener: Listener
  private let ends = Mutex((isCut: false, sockets: [Socket]()))

  /// - Parameter machine: whose hook port is passed on.
  public convenience init(_ machine: VirtualMachine) throws(LabError) {
    let port = machine.socketPath(.hook)
    try self.init(at: "\(port)-relay", to: port)
  }

  /// Listens at `path`, and connects to the socket `port` for each connection that comes.
  init(at path: String, to port: String) throws(LabError) {
    self.path = path
    do {
      listener = try Listener(.unix(path: path), receiveBuffer: 64 * 1024)
    } catch {
      throw LabError("the hook link's relay cannot listen: \(error)")
    }
    _ = BlockingThread("hook relay") { [weak self, listener] in
      while let client = try? listener.accept() {
        guard let self, let guest = try? Socket.connect(to: .unix(path: port)) else { return }
        self.join(client, guest)
      }
    }
  }

  deinit { listener.cancel() }

  /// Closes the link at both ends and takes no other.
  public func cut() {
    listener.cancel()
    let sockets = ends.withLock { ends in
      ends.isCut = true
      return ends.sockets
    }
    for socket in sockets { socket.shutDown() }
  }

  private func join(_ client: Socket, _ guest: Socket) {
    let isCut = ends.withLock { ends in
      ends.sockets = [client, guest]
      return ends.isCut
    }
    guard !isCut else { return }
    for (from, to) in [(client, guest), (guest, client)] {
      _ = BlockingThread("hook relay") { HookRelay.pass(from, to) }
    }
  }

  private static func pass(_ from: Socket, _ to: Socket) {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // The buffer lives as long as the thread; each read fills at most its size.
      let count = try? unsafe buffer.withUnsafeMutableBytes { try unsafe from.read(into: $0) }
      guard let count, count > 0 else { break }
      let sent: Void? = try? unsafe buffer.withUnsafeBytes {
        try unsafe to.writeAll(UnsafeRawBufferPointer(rebasing: $0[..<count]))
      }
      guard sent != nil else { break }
    }
    from.shutDown()
    to.shutDown()
  }
}
