import CExtensionShims
import Glibc
import HookLink

/// The connection to the guardian. One thread uses it.
final class GuardianLink {
  let descriptor: Int32
  private var decoder = FrameDecoder()
  private var received: [Arrival] = []
  /// Came with a message of which not all is there yet; negative where none did.
  private var pending: Int32 = -1
  /// Came with the message taken last; ours to close.
  private var passed: Int32 = -1
  private(set) var isLost = false

  private struct Arrival {
    var frame: Frame
    /// What came with it; negative where nothing did.
    var descriptor: Int32 = -1
  }

  /// Connects to a unix socket; nil where nobody listens.
  init?(path: String) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count < room else { return nil }
    // Shorter than the field, which is zero before.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | closeOnExec, 0)
    guard descriptor >= 0 else { return nil }
    // A guardian that stands still must not stop the database from closing: neither here nor later.
    var timeout = timeval(tv_sec: 5, tv_usec: 0)
    // A structure of our own, alive during the call.
    _ = unsafe setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    let status = unsafe withUnsafePointer(to: &address) {
      // sockaddr_un begins like sockaddr, and its own length is passed.
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    // What is initialised is deinitialised, here too: closed a second time, the number could be that
    // of a file which the database has opened meanwhile.
    guard status == 0 else { return nil }
  }

  deinit {
    // A child that the program has forked may have it too, and would keep it open.
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
    for other in [passed, pending] + received.map(\.descriptor) where other >= 0 { close(other) }
  }

  /// Sends a message; a link that does not take it is lost.
  func send(_ message: some Message, for migration: MigrationID) {
    let bytes = message.frame(for: migration)
    var sent = 0
    while sent < bytes.count && !isLost {
      let count = unsafe bytes.withUnsafeBytes {
        // The rest of the array, which is alive during the call.
        unsafe Glibc.send(
          descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 { sent += count } else if errno != EINTR { isLost = true }
    }
  }

  /// The next message if one has arrived; never waits.
  func next() -> Frame? {
    pump()
    guard !received.isEmpty else { return nil }
    let arrival = received.removeFirst()
    if let unused = takeDescriptor() { close(unused) }
    passed = arrival.descriptor
    return arrival.frame
  }

  /// Whether a message of this kind has arrived and waits, of any migration or of this one.
  func hasReceived(_ code: UInt16, for migration: MigrationID? = nil) -> Bool {
    pump()
    return received.contains {
      $0.frame.type == code && (migration == nil || $0.frame.migration == migration)
    }
  }

  /// The descriptor that came with the message taken last, if any; the caller's to close.
  func takeDescriptor() -> Int32? {
    defer { passed = -1 }
    return passed < 0 ? nil : passed
  }

  private func pump() {
    while !isLost {
      var count = 0
      var came: Int32 = -1
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, used in
        // At most as many bytes as there is room for.
        unsafe count = leafcutter_receive(descriptor, buffer.baseAddress, 4096, &came)
        used = max(0, count)
      }
      if count == -Int(EAGAIN) { return }
      if count == -Int(EINTR) { continue }
      guard count > 0 else {
        isLost = true
        return
      }
      decoder.append(bytes)
      do throws(LinkError) {
        try decode(with: came)
      } catch {
        isLost = true
      }
    }
  }

  /// Takes the whole messages out. A read ends with the bytes that a descriptor came with (unix(7)), and these
  /// are of one message: it belongs to the last message that begins in the read.
  private func decode(with came: Int32) throws(LinkError) {
    let first = received.count
    defer { if came >= 0 { keep(came, of: first) } }
    while let frame = try decoder.next() {
      received.append(Arrival(frame: frame, descriptor: pending))
      pending = -1
    }
  }

  /// - Parameter first: where the messages of this read begin among those that wait.
  private func keep(_ came: Int32, of first: Int) {
    let last = received.count - 1
    if last >= first, decoder.isEmpty, received[last].descriptor < 0 {
      received[last].descriptor = came
    } else if pending < 0 {
      pending = came
    } else {
      close(came)
    }
  }
}

/// SOCK_CLOEXEC of sys/socket.h, as a number.
private let closeOnExec: Int32 = 0x80000
