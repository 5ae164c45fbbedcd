import CGuestSystem
import Glibc
import HookLink

/// One end of the local link: frames over a non-blocking unix stream socket.
///
/// Used by one thread. The other end is not trusted: what it can make this side keep is limited.
final class LocalConnection {
  static let closedByPeer = "the peer closed the connection"

  let socket: Descriptor
  private let maximumOutbound: Int
  private var decoder = FrameDecoder()
  private var outbound: [UInt8] = []
  /// Goes with the first byte that is sent next.
  private var outboundDescriptor: Descriptor?
  /// Came with the bytes read last, until somebody takes it.
  private var inboundDescriptor: Descriptor?
  /// Why the connection is of no use any more.
  private(set) var ended: String?

  init(_ socket: Descriptor, maximumOutbound: Int = 1024 * 1024) {
    self.socket = socket
    self.maximumOutbound = maximumOutbound
  }

  /// What to wait for with poll(2).
  var events: Int32 { outbound.isEmpty ? POLLIN : POLLIN | POLLOUT }

  /// Queues a message and sends what the socket takes. A descriptor travels with its first byte, so
  /// everything queued before must have gone: a peer that does not read loses the connection.
  func send(_ message: some Message, for migration: MigrationID, with descriptor: Descriptor? = nil)
  {
    guard ended == nil else { return }
    let bytes = message.frame(for: migration)
    if descriptor != nil, !outbound.isEmpty {
      ended = "the peer does not read what it is sent"
      return
    }
    guard outbound.count + bytes.count <= maximumOutbound else {
      ended = "the peer does not read what it is sent"
      return
    }
    outboundDescriptor = descriptor ?? outboundDescriptor
    outbound.append(contentsOf: bytes)
    flush()
  }

  func flush() {
    while !outbound.isEmpty, ended == nil {
      // The array is alive and unchanged during the call.
      let count = unsafe outbound.withUnsafeBytes { bytes in
        unsafe leafcutter_guest_send(
          socket.number, bytes.baseAddress, bytes.count, outboundDescriptor?.number ?? -1)
      }
      if count > 0 {
        outbound.removeFirst(count)
        outboundDescriptor = nil
      } else if errno == EAGAIN {
        return
      } else if errno != EINTR {
        ended = "the connection broke: \(SystemError("send").description)"
      }
    }
  }

  /// Reads what has arrived, at most 256 KiB of it, and hands out the whole frames.
  func receive(_ each: (Frame) -> Void) {
    for _ in 0..<4 {
      guard ended == nil, readOnce() else { break }
      do throws(LinkError) {
        // Whoever is refused is not listened to any further.
        while ended == nil, let frame = try decoder.next() { each(frame) }
      } catch {
        // Of another release, it cannot read this; but which one speaks here it learns.
        send(LocalMessage.Failed(step: "request", reason: error.description), for: .none)
        ended = error.description
      }
    }
  }

  /// Waits for the next frame, for programs that do nothing else meanwhile.
  func awaitFrame(milliseconds: Int) -> Frame? {
    let deadline = monotonicNanoseconds() + .milliseconds(UInt64(milliseconds))
    while true {
      do throws(LinkError) {
        if let frame = try decoder.next() { return frame }
      } catch {
        // It explains more than that the peer has closed.
        ended = error.description
        return nil
      }
      let now = monotonicNanoseconds()
      guard ended == nil, now < deadline else { return nil }
      var item = pollfd(fd: socket.number, events: Int16(events), revents: 0)
      // One element, alive during the call.
      _ = unsafe poll(&item, 1, Int32(clamping: (deadline - now) / 1_000_000 + 1))
      flush()
      _ = readOnce()
    }
  }

  /// Gives the connection up; what the socket has taken still arrives.
  func close(_ reason: String) {
    if ended == nil { ended = reason }
  }

  /// The descriptor that came with the last bytes, once.
  func takeDescriptor() -> Descriptor? {
    defer { inboundDescriptor = nil }
    return inboundDescriptor
  }

  /// One read; false when there is nothing to read.
  private func readOnce() -> Bool {
    unsafe withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { buffer in
      var descriptor: Int32 = -1
      // The kernel writes at most `count` bytes into the buffer, and only those are looked at.
      let count = unsafe leafcutter_guest_receive(
        socket.number, buffer.baseAddress, buffer.count, &descriptor)
      if descriptor >= 0 { inboundDescriptor = Descriptor(owning: descriptor) }
      if count > 0 {
        unsafe decoder.append(buffer[..<count])
        return true
      }
      if count == 0 {
        ended = LocalConnection.closedByPeer
      } else if errno != EAGAIN, errno != EINTR {
        ended = SystemError("receive").description
      }
      return false
    }
  }
}
