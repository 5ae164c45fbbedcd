import CGuestSystem
import Glibc
import HookLink
import Logging

/// The guardian's end of the hook link.
///
/// The host's side comes and goes: between migrations nobody is there, and at the destination nobody
/// may ever be. A virtio-serial port without a host reads as ended, hangs up in poll(2) and takes no
/// bytes, so its changes are waited for; a socket is dialled again. Nothing here blocks.
final class HookPort {
  /// What may wait to be sent where it must not be lost (a report: 32 KiB for each GiB of memory).
  private static let maximumOutbound = 64 * 1024 * 1024
  /// Beyond this, what may be lost is.
  private static let maximumDroppable = 256 * 1024

  private let address: PortAddress
  private let logger: Logger
  private var file: Descriptor?
  /// Tells when a port that hangs up changes.
  private var changes: Descriptor?
  private var decoder = FrameDecoder()
  private var outbound = SendQueue()
  private var nextAttempt: UInt64 = 0
  private var lastComplaint = ""
  /// Somebody is at the other end, as far as is known.
  private(set) var isConnected = false

  init(_ address: PortAddress, logger: Logger) {
    self.address = address
    self.logger = logger
  }

  /// What to wait for; nil where only time helps.
  var pollItem: (descriptor: Int32, events: Int32)? {
    guard isConnected, let file else { return changes.map { ($0.number, POLLIN) } }
    return (file.number, outbound.isEmpty ? POLLIN : POLLIN | POLLOUT)
  }

  /// Looks whether somebody has come, where nobody was; true when somebody has.
  func tryToConnect() -> Bool {
    guard !isConnected else { return false }
    let changed = changes.map { leafcutter_guest_take_change($0.number) == 1 } ?? false
    guard changed || monotonicNanoseconds() >= nextAttempt else { return false }
    nextAttempt = monotonicNanoseconds() + .milliseconds(UInt64(retryMilliseconds))
    do throws(SystemError) {
      let file: Descriptor
      if let opened = self.file {
        file = opened
      } else {
        file = try open()
        changes = watch(file)
      }
      self.file = file
      // A socket that was dialled has somebody; a port hangs up while nobody is there.
      var item = pollfd(fd: file.number, events: Int16(POLLIN), revents: 0)
      // One element, alive during the call.
      _ = unsafe poll(&item, 1, 0)
      guard Int32(item.revents) & (POLLHUP | POLLERR) == 0 else { return false }
      decoder = FrameDecoder()
      isConnected = true
      lastComplaint = ""
      return true
    } catch {
      // Once for each reason: it will be tried for ever.
      if error.description != lastComplaint {
        lastComplaint = error.description
        logger.notice("the hook port is not there yet: \(error)")
      }
      return false
    }
  }

  /// How often a connection is to be tried where nothing else tells.
  var retryMilliseconds: Int32 {
    if case .unix = address { 50 } else { 1000 }
  }

  private func watch(_ file: Descriptor) -> Descriptor? {
    if case .unix = address { return nil }
    let watch = leafcutter_guest_watch_changes(file.number)
    return watch >= 0 ? Descriptor(owning: watch) : nil
  }

  private func open() throws(SystemError) -> Descriptor {
    switch address {
    case .unix(let path):
      // The path is alive during the call.
      let socket = unsafe leafcutter_guest_connect_unix(path)
      guard socket >= 0 else { throw SystemError("connect to \(address)") }
      return Descriptor(owning: socket)
    case .device(let path):
      return try Descriptor(opening: path, O_RDWR)
    case .named(let name):
      guard let path = PortAddress.device(ofPortNamed: name) else {
        throw SystemError("find a virtio-serial port named \(name)", code: ENODEV)
      }
      return try Descriptor(opening: path, O_RDWR)
    }
  }

  /// Sends a message, or keeps it until the port takes it.
  ///
  /// - Parameter droppable: It is of no use later: lost where nobody listens or the queue is long.
  func send(_ message: some Message, for migration: MigrationID, droppable: Bool = false) {
    let limit = droppable ? HookPort.maximumDroppable : HookPort.maximumOutbound
    guard isConnected else { return }
    let bytes = message.frame(for: migration)
    guard outbound.count + bytes.count <= limit else { return }
    outbound.append(bytes)
    flush()
  }

  func flush() {
    while !outbound.isEmpty, isConnected, let file {
      // The bytes are alive and unchanged during the call.
      let count = unsafe outbound.withFirst(32 * 1024) {
        unsafe write(file.number, $0.baseAddress, $0.count)
      }
      if count > 0 {
        outbound.removeFirst(count)
      } else if errno == EAGAIN {
        return
      } else if errno != EINTR {
        self.file = nil
        disconnect()
      }
    }
  }

  /// Reads what has arrived and hands out the whole frames.
  func receive(_ each: (Frame) -> Void) {
    for _ in 0..<16 {
      guard isConnected, let file else { return }
      let count = unsafe withUnsafeTemporaryAllocation(byteCount: 32 * 1024, alignment: 16) {
        buffer in
        // The kernel writes at most `count` bytes into the buffer, and only those are looked at.
        let count = unsafe read(file.number, buffer.baseAddress, buffer.count)
        if count > 0 { unsafe decoder.append(buffer[..<count]) }
        return count
      }
      if count == 0 {
        disconnect()
      } else if count < 0, errno != EAGAIN, errno != EINTR {
        // The device itself is gone (unplugged): it is looked for again.
        self.file = nil
        disconnect()
      }
      guard count > 0 else { return }
      do throws(LinkError) {
        while let frame = try decoder.next() { each(frame) }
      } catch {
        logger.error("the hook link: \(error)")
        disconnect()
      }
    }
  }

  private func disconnect() {
    isConnected = false
    outbound.removeAll()
    if case .unix = address { file = nil }
    if file == nil { changes = nil }
  }
}
