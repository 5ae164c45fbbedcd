import StreamProxy
import Synchronization
import Threads

/// A link on which everything takes a while, between a proxy and its destination: what is written comes
/// out later, at most so many bytes a second, and a window's worth may be under way. It stands for netem,
/// which not every kernel has.
final class LongLink: Sendable {
  private let listener: Listener
  private let delay: Duration
  private let bytesPerSecond: Int
  private let connections = Mutex<[Socket]>([])

  /// - Parameters:
  ///   - delay: each way.
  ///   - bytesPerSecond: each way, of each connection.
  init(
    at address: SocketAddress, to destination: SocketAddress, delay: Duration, bytesPerSecond: Int
  ) throws {
    (self.delay, self.bytesPerSecond) = (delay, bytesPerSecond)
    listener = try Listener(address, receiveBuffer: 128 * 1024)
    _ = BlockingThread("long-link") { [self] in
      while let near = try? listener.accept(), let far = try? Socket.connect(to: destination) {
        connections.withLock { $0 += [near, far] }
        carry(near, far)
        carry(far, near)
      }
    }
  }

  deinit { listener.cancel() }

  func stop() { listener.cancel() }

  /// Every connection breaks, in the middle of whatever is under way.
  func cut() {
    connections.withLock { sockets in
      for socket in sockets { socket.shutDown() }
      sockets = []
    }
  }

  private func carry(_ from: Socket, _ to: Socket) {
    // What a window holds that keeps the link full until the answer is back.
    let way = Way(window: Int(2 * (delay / .seconds(1)) * Double(bytesPerSecond)))
    _ = BlockingThread("long-in") { [delay] in
      // The buffer lives in the closure, and what was read is initialised.
      while let bytes = try? unsafe [UInt8](
        unsafeUninitializedCapacity: 64 * 1024,
        initializingWith: { buffer, count in
          count = try unsafe from.read(into: UnsafeMutableRawBufferPointer(buffer))
        }), !bytes.isEmpty
      {
        way.enter(bytes, due: .now + delay)
      }
      way.end(due: .now + delay)
    }
    _ = BlockingThread("long-out") { [bytesPerSecond] in
      let pause = WakeUp()
      // By the clock, so that a busy machine, which wakes threads late, makes the link no slower.
      var isFree = ContinuousClock.now
      while let (bytes, due) = way.leave() {
        isFree = max(isFree, due)
        pause.wait(for: max(.zero, ContinuousClock.now.duration(to: isFree)))
        // The array is alive during the call.
        guard (try? unsafe bytes.withUnsafeBytes { try unsafe to.writeAll($0) }) != nil else {
          from.shutDown()
          return
        }
        isFree += .seconds(Double(bytes.count) / Double(bytesPerSecond))
      }
      to.shutDownWriting()
    }
  }

  /// What is under way in one direction.
  private final class Way: Sendable {
    private struct State {
      var bytes: [(bytes: [UInt8], due: ContinuousClock.Instant)] = []
      var count = 0
    }

    private let window: Int
    private let state = Mutex(State())
    private let arrived = WakeUp()
    private let left = WakeUp()

    init(window: Int) { self.window = window }

    func enter(_ bytes: [UInt8], due: ContinuousClock.Instant) {
      while state.withLock({ $0.count }) > window {
        left.wait()
        left.lower()
      }
      state.withLock { state in
        state.bytes.append((bytes, due))
        state.count += bytes.count
      }
      arrived.raise()
    }

    func end(due: ContinuousClock.Instant) {
      state.withLock { $0.bytes.append(([], due)) }
      arrived.raise()
    }

    /// nil at the end.
    func leave() -> (bytes: [UInt8], due: ContinuousClock.Instant)? {
      while true {
        arrived.lower()
        let first = state.withLock { state in
          state.bytes.isEmpty ? nil : state.bytes.removeFirst()
        }
        if let first {
          state.withLock { $0.count -= first.bytes.count }
          left.raise()
          return first.bytes.isEmpty ? nil : first
        }
        arrived.wait()
      }
    }
  }
}
