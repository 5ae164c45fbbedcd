import Foundation
import Glibc
import HookLink
import Testing

/// Plays the guardian for one database.
final class TestGuardian {
  private let listener: Int32
  private var connection: Int32 = -1
  private var decoder = FrameDecoder()
  private let mark: FileHandle
  let migration = MigrationID.random()
  /// Messages about progress so far.
  private(set) var progressCount = 0
  /// What the database has last said of itself.
  private(set) var registration: LocalMessage.Register?

  init(socket path: String) throws {
    // The path is zero-terminated for the time of the call.
    unsafe unlink(path)
    let markPath = path + ".mark"
    _ = FileManager.default.createFile(atPath: markPath, contents: Data(count: MarkPage.size))
    mark = try #require(FileHandle(forUpdatingAtPath: markPath))
    try mark.write(contentsOf: Data(MarkPage.identification(for: migration)))
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // The path of a temporary directory is shorter than the field.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) {
      unsafe $0.copyBytes(from: Array(path.utf8))
    }
    let status = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0 && listen(listener, 4) == 0)
  }

  deinit {
    hangUp()
    close(listener)
  }

  /// Writes into the mark page that this is the destination of a migration, as it is in copies that have
  /// passed the proxy.
  func writeVerdict(of migration: MigrationID) throws {
    try mark.seek(toOffset: UInt64(MarkPage.Offset.verdict))
    try mark.write(contentsOf: Data(MarkPage.verdict(for: migration)))
  }

  /// Waits for the database to connect, and reads what it says of itself.
  func accept() throws -> LocalMessage.Register {
    try #require(isReadable(listener, seconds: 10), "the database did not connect")
    connection = Glibc.accept(listener, nil, nil)
    registration = nil
    guard case .register(let register) = try next() else { throw Unexpected() }
    registration = register
    return register
  }

  /// Whether the database hangs up within that time; what it says before is lost.
  func hasHungUp(seconds: Int) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while isReadable(connection, seconds: seconds) {
      // At most as many bytes as there is room for.
      if unsafe read(connection, &buffer, buffer.count) <= 0 { return true }
    }
    return false
  }

  /// Whether a database connects within a second.
  var isAsked: Bool { isReadable(listener, seconds: 1) }

  func hangUp() {
    if connection >= 0 { close(connection) }
    connection = -1
    decoder = FrameDecoder()
  }

  func send(_ message: some Message) throws {
    let bytes = message.frame(for: migration)
    // The array is alive during the call.
    let sent = unsafe Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    try #require(sent == bytes.count)
  }

  /// Sends PREPARE with the mark page's descriptor (SCM_RIGHTS) on its first byte.
  func prepare(
    cacheBytes: UInt64 = 1 << 20, threads: UInt32 = 2, keepPercent: UInt8 = 0,
    withMark: Bool = true
  ) throws {
    let request = LocalMessage.PrepareDatabase(
      cacheBytes: cacheBytes, threads: threads, keepPercent: keepPercent)
    guard withMark else { return try send(request) }
    var bytes = request.frame(for: migration)
    // A control message by hand (cmsg(3)): length 20, SOL_SOCKET, SCM_RIGHTS, one int, padded to 24.
    var control: [UInt64] = [20, 1 | 1 << 32, UInt64(UInt32(bitPattern: mark.fileDescriptor))]
    let count = unsafe bytes.withUnsafeMutableBytes { data in
      unsafe control.withUnsafeMutableBytes { rights in
        var vector = unsafe iovec(iov_base: data.baseAddress, iov_len: data.count)
        return unsafe withUnsafeMutablePointer(to: &vector) {
          var message = unsafe msghdr()
          unsafe message.msg_iov = $0
          unsafe message.msg_iovlen = 1
          unsafe message.msg_control = rights.baseAddress
          unsafe message.msg_controllen = rights.count
          return unsafe sendmsg(connection, &message, Int32(MSG_NOSIGNAL))
        }
      }
    }
    try #require(count == bytes.count)
  }

  /// The next message that is neither about progress nor a further word about the database itself.
  func next(seconds: Int = 60) throws -> LocalMessage {
    while true {
      while let frame = try decoder.next() {
        let message = try LocalMessage(frame)
        if case .progress = message {
          progressCount += 1
          continue
        }
        if case .register(let register) = message, registration != nil {
          registration = register
          continue
        }
        return message
      }
      try #require(isReadable(connection, seconds: seconds), "the database did not answer")
      var buffer = [UInt8](repeating: 0, count: 65536)
      // At most as many bytes as there is room for.
      let count = unsafe read(connection, &buffer, buffer.count)
      try #require(count > 0, "the database hung up")
      decoder.append(buffer[..<count])
    }
  }

  /// HELD, if it comes, and PREPARED.
  func prepared() throws -> (held: LocalMessage.HeldMemory?, prepared: LocalMessage.Prepared) {
    var held: LocalMessage.HeldMemory?
    while true {
      switch try next() {
      case .held(let message): held = message
      case .prepared(let message): return (held, message)
      case .failed(let failed): throw Refused(failed: failed)
      default: throw Unexpected()
      }
    }
  }

  func resumed() throws -> LocalMessage.DatabaseResumed {
    switch try next() {
    case .resumed(let message): return message
    case .failed(let failed): throw Refused(failed: failed)
    default: throw Unexpected()
    }
  }

  func release() throws {
    try send(LocalMessage.Release())
    guard case .released = try next() else { throw Unexpected() }
  }

  private func isReadable(_ descriptor: Int32, seconds: Int) -> Bool {
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // One element, alive during the call.
    return unsafe poll(&item, 1, Int32(seconds * 1000)) > 0
  }

  struct Unexpected: Error {}

  struct Refused: Error {
    var failed: LocalMessage.Failed
  }
}
