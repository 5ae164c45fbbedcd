import Glibc
import StreamProxy
import Synchronization
import Threads

/// Accepts the connections of a source and writes what comes on each to a file of its own; with a
/// destination, it relays between the two at the same time.
final class ChannelRecorder: Sendable {
  private let listener: Listener
  private let destination: SocketAddress?
  private let folder: String
  private let bytesPerSecond: Int?
  private let state = Mutex(State())

  private struct State {
    var files: [String] = []
    var open = 0
  }

  /// - Parameters:
  ///   - destination: nil for a source without a return path, which is only recorded.
  ///   - bytesPerSecond: what each connection takes; nil for as much as comes.
  init(
    at address: SocketAddress, to destination: SocketAddress? = nil, in folder: String,
    bytesPerSecond: Int? = nil
  ) throws {
    self.bytesPerSecond = bytesPerSecond
    listener = try Listener(address, receiveBuffer: 128 * 1024)
    self.destination = destination
    self.folder = folder
    _ = BlockingThread("recorder") { [self] in
      while let source = try? listener.accept() { record(source) }
    }
  }

  deinit { listener.cancel() }

  func stop() { listener.cancel() }

  /// In the order in which they were accepted.
  var files: [String] { state.withLock { $0.files } }

  /// Every connection has ended, and their files are whole.
  var isIdle: Bool { state.withLock { !$0.files.isEmpty && $0.open == 0 } }

  /// The destination is dialled at once: which channel is which it learns from their order.
  private func record(_ source: Socket) {
    let file = state.withLock { state in
      state.open += 1
      let path = "\(folder)/channel-\(state.files.count)"
      state.files.append(path)
      return path
    }
    let leg = destination.flatMap { try? Socket.connect(to: $0) }
    _ = BlockingThread("record") { [self] in
      // The path is a string for the duration of the call.
      let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      unsafe copy(source) { bytes in
        precondition(unsafe write(descriptor, bytes.baseAddress, bytes.count) == bytes.count)
        try? unsafe leg?.writeAll(bytes)
        if let bytesPerSecond { usleep(UInt32(bytes.count * 1_000_000 / bytesPerSecond)) }
      }
      close(descriptor)
      leg?.shutDownWriting()
      state.withLock { $0.open -= 1 }
    }
    guard let leg else { return }
    _ = BlockingThread("record-back") { [self] in
      unsafe copy(leg) { try? unsafe source.writeAll($0) }
      source.shutDownWriting()
    }
  }

  /// Until the end of what can be read.
  private func copy(_ from: Socket, _ body: (UnsafeRawBufferPointer) -> Void) {
    unsafe withUnsafeTemporaryAllocation(byteCount: 256 * 1024, alignment: 4096) { buffer in
      // The buffer lives in this closure; only what was read is used.
      while let count = try? unsafe from.read(into: buffer), count > 0 {
        unsafe body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }
}
