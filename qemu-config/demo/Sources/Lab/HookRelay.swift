import StreamProxy
import Synchronization
import Threads

/// Stands between a proxy and a guest's hook port, so that the link can be cut while both live, and so that
/// one can be told what the other has not said.
public final class HookRelay: Sendable {
  /// What the proxy connects to.
  public let path: String
  private let listener: Listener
  private let ends = Mutex(Ends())

  public enum End: Sendable { case proxy, guest }

  private struct Ends {
    var isCut = false
    var proxy: Socket?
    var guest: Socket?
    /// What the guest has said, as far as it is remembered.
    var said: [UInt8] = []
    /// Bytes of the guest's that are still to be lost.
    var toBeLost = 0
  }

  private static let remembered = 4 << 20

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
      return [ends.proxy, ends.guest]
    }
    for socket in sockets { socket?.shutDown() }
  }

  /// What the guest has said to the proxy that is connected, as far as 4 MiB hold it.
  public var saidByTheGuest: [UInt8] { ends.withLock { $0.said } }

  /// Says something in the other's name, wherever that is in what it says itself.
  public func say(_ bytes: [UInt8], to end: End) {
    let socket = ends.withLock { end == .proxy ? $0.proxy : $0.guest }
    // As many bytes as the array has; whoever is gone hears nothing.
    try? unsafe bytes.withUnsafeBytes { try unsafe socket?.writeAll($0) }
  }

  /// So many bytes of what the guest says next do not arrive.
  public func loseFromTheGuest(_ count: Int) { ends.withLock { $0.toBeLost += count } }

  private func join(_ client: Socket, _ guest: Socket) {
    let isCut = ends.withLock { ends in
      (ends.proxy, ends.guest) = (client, guest)
      ends.said = []
      return ends.isCut
    }
    guard !isCut else { return }
    _ = BlockingThread("hook relay") { HookRelay.pass(client, guest) { $0 } }
    _ = BlockingThread("hook relay") { [weak self] in
      HookRelay.pass(guest, client) { self?.remember($0) ?? $0 }
    }
  }

  /// What is left of it when as much as is to be lost is.
  private func remember(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    ends.withLock { ends in
      let lost = min(ends.toBeLost, bytes.count)
      ends.toBeLost -= lost
      if ends.said.count + bytes.count <= HookRelay.remembered { ends.said += bytes }
      return bytes.dropFirst(lost)
    }
  }

  /// - Parameter chosen: which part of what has been read is passed on.
  private static func pass(
    _ from: Socket, _ to: Socket, _ chosen: (ArraySlice<UInt8>) -> ArraySlice<UInt8>
  ) {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // The buffer lives as long as the thread; each read fills at most its size.
      let count = try? unsafe buffer.withUnsafeMutableBytes { try unsafe from.read(into: $0) }
      guard let count, count > 0 else { break }
      // The slice is alive during the call.
      let sent: Void? = try? unsafe chosen(buffer[..<count]).withUnsafeBytes {
        try unsafe to.writeAll($0)
      }
      guard sent != nil else { break }
    }
    from.shutDown()
    to.shutDown()
  }
}
