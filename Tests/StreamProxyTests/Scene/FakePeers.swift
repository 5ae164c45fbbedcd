import Glibc
import HookLink
import Synchronization
import Threads

@testable import StreamProxy

/// The destination QEMU: takes what comes until its end, then closes.
final class FakeDestination: Sendable {
  /// On the first connection.
  let received = Mutex<[UInt8]>([])
  /// On all the others together.
  let receivedElsewhere = Mutex<[UInt8]>([])
  /// How long it waits before each read; for ever where it stalls.
  let pause = Mutex(Duration.zero)
  private let neverRaised = WakeUp()
  private let connection = Mutex<Socket?>(nil)
  private let others = Mutex<[Socket]>([])
  private let listener: Listener
  let ended = WakeUp()

  init(at address: SocketAddress) throws {
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    _ = BlockingThread("fake-dst") { [self] in
      guard let source = try? listener.accept() else { return }
      connection.withLock { $0 = source }
      _ = BlockingThread("fake-others") { [self] in
        while let other = try? listener.accept() {
          others.withLock { $0.append(other) }
          _ = BlockingThread("fake-other") { [self] in
            read(other) { bytes in receivedElsewhere.withLock { $0 += bytes } }
          }
        }
      }
      read(source) { bytes in received.withLock { $0 += bytes } }
      ended.raise()
    }
  }

  private func read(_ source: Socket, take: ([UInt8]) -> Void) {
    while waitReadable(source.descriptor, or: nil) == .ready {
      neverRaised.wait(for: pause.withLock { $0 })
      guard let bytes = source.readSome(), !bytes.isEmpty else { break }
      take(bytes)
    }
    source.shutDown()
  }

  /// Dies: both directions end at once.
  func die() { connection.withLock { $0?.shutDown() } }

  /// Connections beside the first, those that have ended too.
  var othersCount: Int { others.withLock { $0.count } }

  /// The same on all connections but the first.
  func dieElsewhere() { others.withLock { for other in $0 { other.shutDown() } } }

  func say(_ bytes: [UInt8]) throws {
    try connection.withLock { try $0?.write(bytes) }
  }

  /// Whether so many bytes have come, now or soon.
  func awaitBytes(_ count: Int) -> Bool { soon { self.received.withLock { $0.count >= count } } }

  func awaitEnd() -> Bool { waitReadable(ended.descriptor, or: nil, for: .seconds(20)) == .ready }

  func close() {
    listener.cancel()
    die()
  }
}

/// The guardian behind QEMU's virtio-serial port.
final class FakeGuest: Sendable {
  struct State {
    var migration: MigrationID?
    var prepare: HostMessage.Prepare?
    var acknowledged: [UInt64] = []
    var abort: String?
    var link: Socket?
    /// Reads nothing more once it has been asked.
    var isDeaf = false
  }

  let state = Mutex(State())
  private let listener: Listener

  /// - Parameter whenAsked: the messages that answer PREPARE.
  init(
    at address: SocketAddress, whenAsked: @escaping @Sendable (MigrationID) -> [any Message]
  ) throws {
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    _ = BlockingThread("fake-guest") { [self] in
      guard let link = try? listener.accept() else { return }
      state.withLock { $0.link = link }
      var decoder = FrameDecoder()
      while let bytes = link.readSome(), !bytes.isEmpty {
        decoder.append(bytes)
        while let frame = try? decoder.next() { obey(frame, whenAsked) }
        if state.withLock({ $0.isDeaf && $0.migration != nil }) { return }
      }
    }
  }

  private func obey(_ frame: Frame, _ whenAsked: (MigrationID) -> [any Message]) {
    switch try? HostMessage(frame) {
    case .prepare(let request):
      state.withLock { $0.prepare = request }
      for message in whenAsked(frame.migration) { say(message, in: frame.migration) }
      state.withLock { $0.migration = frame.migration }
    case .acknowledge(let message):
      state.withLock { $0.acknowledged.append(message.sequence) }
    case .abort(let message):
      state.withLock { $0.abort = message.reason }
      say(
        GuestMessage.Resumed(
          atDestination: false, leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0,
          steps: []), in: frame.migration)
    case nil: break
    }
  }

  func say(_ message: any Message, in migration: MigrationID) {
    state.withLock { _ = try? $0.link?.write(message.frame(for: migration)) }
  }

  /// Bytes that need be no frame.
  func say(bytes: [UInt8]) { state.withLock { _ = try? $0.link?.write(bytes) } }

  /// The identity in PREPARE; nil where none comes.
  func awaitPrepare(for time: Duration = .seconds(20)) -> MigrationID? {
    _ = soon(within: time) { self.state.withLock { $0.migration != nil } }
    return state.withLock { $0.migration }
  }

  func awaitAcknowledgement(_ sequence: UInt64) -> Bool {
    soon { self.state.withLock { $0.acknowledged.contains(sequence) } }
  }

  /// The host side of the port hangs up.
  func hangUp() { state.withLock { $0.link?.shutDown() } }

  func close() {
    listener.cancel()
    hangUp()
  }
}

extension Socket {
  /// What is there, empty at the end; nil where the connection broke.
  func readSome() -> [UInt8]? {
    // The buffer lives in the closure, and what was read is initialised.
    try? unsafe [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
      count = try unsafe read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  func write(_ bytes: [UInt8]) throws {
    // The array is alive during the call.
    try unsafe bytes.withUnsafeBytes { try unsafe writeAll($0) }
  }

  /// Whether the peer ends the connection within some seconds, whatever it says before.
  func awaitEnd() -> Bool {
    while waitReadable(descriptor, or: nil, for: .seconds(20)) == .ready {
      guard let bytes = readSome(), !bytes.isEmpty else { return true }
    }
    return false
  }
}

/// A TCP address of this host's at which nobody listens.
func freeTCPAddress() throws -> SocketAddress {
  for _ in 0..<50 {
    let address = SocketAddress.tcp(
      host: "127.0.0.1", port: "\(Int.random(in: 20_000..<30_000))")
    if (try? Listener(address, receiveBuffer: 4096)) != nil { return address }
  }
  throw SystemError("find a free port", code: EADDRINUSE)
}

/// Looks again and again.
func soon(within time: Duration = .seconds(10), _ condition: () -> Bool) -> Bool {
  let deadline = ContinuousClock.now + time
  let pause = WakeUp()
  while !condition() {
    guard ContinuousClock.now < deadline else { return false }
    _ = waitReadable(pause.descriptor, or: nil, for: .milliseconds(2))
  }
  return true
}

/// Leaves a socket file behind on which nobody listens.
func leaveSocketFile(at path: String) -> Bool {
  guard
    let candidate = try? ResolvedAddress.resolve(
      .unix(path: path), toListen: true, action: "bind"
    ).first, let descriptor = try? candidate.makeSocket(action: "bind")
  else { return false }
  return candidate.bind(descriptor)
}
