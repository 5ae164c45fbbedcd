import Glibc
import StreamProxy
import Synchronization
import Threads

/// Stands between a QMP client and QEMU, and holds back what QEMU says when it is told to: events come
/// as late as they may where somebody else's program is in between.
public final class LateEvents: Sendable {
  public let address: SocketAddress
  private let listener: Listener
  private let isHolding = Atomic(false)

  /// - Parameters:
  ///   - path: of the unix socket for the client, the only one.
  ///   - machine: whose socket for the proxy is behind it.
  public init(at path: String, of machine: TestMachine) throws {
    address = .unix(path: path)
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    let server = SocketAddress.unix(path: machine.proxySocket)
    _ = BlockingThread("late-events") { [self] in
      guard let client = try? listener.accept(), let qemu = try? Socket.connect(to: server)
      else { return }
      _ = BlockingThread("commands") { [self] in copy(from: client, to: qemu) { false } }
      copy(from: qemu, to: client) { self.isHolding.load(ordering: .acquiring) }
    }
  }

  deinit { listener.cancel() }

  public func hold() { isHolding.store(true, ordering: .releasing) }

  public func letGo() { isHolding.store(false, ordering: .releasing) }

  private func copy(from: Socket, to: Socket, waitsWhile isHeld: () -> Bool) {
    unsafe withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { buffer in
      // The buffer lives in this closure; only what was read is used.
      while let count = try? unsafe from.read(into: buffer), count > 0 {
        while isHeld() { usleep(5000) }
        try? unsafe to.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
    to.shutDown()
    from.shutDown()
  }
}
