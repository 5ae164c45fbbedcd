import Glibc
import Synchronization

/// The line-wise port to the host: commands come in, answers, operations and beats go out.
///
/// Reading belongs to the thread that serves commands. Writing belongs to the beat's thread alone
/// (``flush(appending:)``), which never blocks: the others only queue their lines.
public final class ControlPort: Sendable {
  /// A host that sends that much without a newline speaks something else.
  public static let maximumLine = 4096
  /// What waits for a host that is away: some ten minutes of operations. The oldest lines go first.
  public static let maximumQueued = 512 * 1024

  private struct Outgoing {
    /// nil while no host is connected to a unix socket.
    var descriptor: Int32?
    /// The rest of a line of which a part has been written; it goes out before anything else.
    var started: [UInt8] = []
    var lines = LineQueue(limit: maximumQueued)
  }
  private let outgoing = Mutex(Outgoing())
  private let listener: Int32?
  private let socketPath: String?
  private let wakeUp: WakePipe

  /// Opens the device, or listens on the socket.
  ///
  /// - Throws: ``SystemError``, e.g. where the guest has no port of that name.
  public init(_ address: PortAddress) throws(SystemError) {
    wakeUp = try WakePipe()
    switch address {
    case .name(let name):
      let device = try ControlPort.open(try PortAddress.device(named: name))
      (listener, socketPath) = (nil, nil)
      outgoing.withLock { $0.descriptor = device }
    case .device(let path):
      let device = try ControlPort.open(path)
      (listener, socketPath) = (nil, nil)
      outgoing.withLock { $0.descriptor = device }
    case .unix(let path):
      listener = try UnixListener.listen(path)
      socketPath = path
    }
  }

  deinit {
    if let descriptor = outgoing.withLock({ $0.descriptor }) { close(descriptor) }
    if let listener { close(listener) }
    // The path is a string for the duration of the call; a file that is gone is fine.
    if let socketPath { _ = unsafe unlink(socketPath) }
  }

  private static func open(_ path: String) throws(SystemError) -> Int32 {
    // The path is a string for the duration of the call.
    let descriptor = unsafe Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(path)") }
    return descriptor
  }

  // MARK: Writing

  /// Queues a line; never blocks on the host.
  public func send(_ line: String) {
    outgoing.withLock { $0.lines.append(Array("\(line)\n".utf8)) }
  }

  /// Writes what is queued and then `beat`, a line with its end, as far as the port takes it at once. A
  /// beat that would have to wait is dropped.
  func flush(appending beat: [UInt8]) {
    outgoing.withLock { outgoing in
      guard let descriptor = outgoing.descriptor else { return }
      while true {
        if outgoing.started.isEmpty {
          guard let line = outgoing.lines.popFirst() else { break }
          outgoing.started = line
        }
        guard ControlPort.writeOnce(descriptor, &outgoing.started) else { return }
      }
      // The kernel reads at most `count` bytes. Once begun, a line has to be finished.
      let written = unsafe Glibc.write(descriptor, beat, beat.count)
      if written > 0, written < beat.count { outgoing.started = Array(beat[written...]) }
    }
  }

  /// Whether everything queued has gone out.
  var isDrained: Bool {
    outgoing.withLock { $0.started.isEmpty && $0.lines.isEmpty }
  }

  /// Takes off `bytes` what the port took; false where something is left.
  private static func writeOnce(_ descriptor: Int32, _ bytes: inout [UInt8]) -> Bool {
    // The kernel reads at most `count` bytes. EAGAIN is a host that is slow or away; other errors are
    // noticed by the reader.
    let written = unsafe Glibc.write(descriptor, bytes, bytes.count)
    if written > 0 { bytes.removeFirst(written) }
    return bytes.isEmpty
  }

  // MARK: Reading

  /// Waits for the next bytes of the host; nil after ``interrupt()``. Empty where a host has left,
  /// whose unfinished line is void.
  func read() -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: ControlPort.maximumLine)
    while !wakeUp.isRaised {
      guard let descriptor = outgoing.withLock({ $0.descriptor }) else {
        guard acceptHost() else { return nil }
        continue
      }
      // The kernel writes at most `count` bytes.
      let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
      if count > 0 { return Array(buffer[..<count]) }
      if count < 0, errno == EAGAIN || errno == EINTR {
        wakeUp.wait(orReadable: descriptor, milliseconds: 1000)
      } else if listener != nil {
        hangUp()
        return []
      } else {
        // No host is connected to the virtio port: poll(2) would return at once with POLLHUP.
        wakeUp.wait(orReadable: nil, milliseconds: 10)
        return []
      }
    }
    return nil
  }

  /// Makes a waiting ``read()`` and every later one return nil.
  public func interrupt() { wakeUp.raise() }

  private func acceptHost() -> Bool {
    guard let listener else { return false }
    while !wakeUp.isRaised {
      let accepted = UnixListener.accept(listener)
      if accepted >= 0 {
        outgoing.withLock { outgoing in
          outgoing.descriptor = accepted
          // A new host must not begin with the end of a line.
          outgoing.started = []
        }
        return true
      }
      wakeUp.wait(orReadable: listener, milliseconds: 1000)
    }
    return false
  }

  private func hangUp() {
    outgoing.withLock { outgoing in
      if let descriptor = outgoing.descriptor { close(descriptor) }
      outgoing.descriptor = nil
    }
  }
}
