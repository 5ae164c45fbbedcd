import StreamProxy
import Threads

/// The host's end of a guest's virtio-serial port, read by a thread of its own, which notes when each
/// read returned.
final class PortConnection: Sendable {
  private let socket: Socket

  /// Connects to the port's unix socket, which QEMU has made by then.
  ///
  /// - Parameters:
  ///   - receive: gets what one read gave and the host's time in nanoseconds, on the reading thread.
  ///   - atEnd: when QEMU has closed the connection; nothing is received afterwards.
  init(
    path: String, name: String,
    receive: @escaping @Sendable (ArraySlice<UInt8>, UInt64) -> Void,
    atEnd: @escaping @Sendable () -> Void
  ) throws(LabError) {
    let socket: Socket
    do {
      socket = try Socket.connect(to: .unix(path: path))
    } catch {
      throw LabError("the port \(name) cannot be reached: \(error)")
    }
    self.socket = socket
    _ = BlockingThread(name) {
      var buffer = [UInt8](repeating: 0, count: 64 * 1024)
      // The buffer lives as long as the thread; each read fills at most its size.
      while true {
        let count = try? unsafe buffer.withUnsafeMutableBytes { try unsafe socket.read(into: $0) }
        guard let count, count > 0 else { break }
        receive(buffer[..<count], HostClock.now)
      }
      atEnd()
    }
  }

  func write(_ text: String) throws(LabError) {
    let bytes = Array(text.utf8)
    do {
      // The bytes are alive during the call.
      try unsafe bytes.withUnsafeBytes { try unsafe socket.writeAll($0) }
    } catch {
      throw LabError("the guest's port is gone: \(error)")
    }
  }

  func close() { socket.shutDown() }
}
