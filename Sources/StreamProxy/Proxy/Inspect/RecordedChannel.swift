import Glibc

/// A file or a pipe with the bytes of one channel, read once and in large pieces.
@safe
final class RecordedChannel {
  static let pieceSize = 1 << 20
  /// As many bytes tell what it is.
  private static let headSize = 16

  let name: String
  /// The first bytes, at most sixteen.
  let head: [UInt8]
  private let descriptor: Int32
  private let ownsDescriptor: Bool
  private var buffer: UnsafeMutableRawBufferPointer?
  private var start = 0
  private var end = 0
  /// Offset of the first byte of ``bytes`` in the channel.
  private(set) var offset: UInt64 = 0

  /// - Parameter path: "-" reads the standard input.
  /// - Throws: ``SystemError`` where the file cannot be opened or read.
  convenience init(path: String) throws(SystemError) {
    guard path != "-" else {
      try self.init(descriptor: STDIN_FILENO, name: "standard input", owning: false)
      return
    }
    // The path is a string for the duration of the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(path)") }
    try self.init(descriptor: descriptor, name: path, owning: true)
  }

  private init(descriptor: Int32, name: String, owning: Bool) throws(SystemError) {
    self.name = name
    self.descriptor = descriptor
    ownsDescriptor = owning
    var head = [UInt8](repeating: 0, count: RecordedChannel.headSize)
    var count = 0
    do throws(SystemError) {
      while count < head.count {
        let from = count
        // The rest of the array, which lives through the call.
        let got = unsafe head.withUnsafeMutableBytes { rest in
          Result { () throws(SystemError) in
            try unsafe RecordedChannel.read(
              descriptor, rest.baseAddress! + from, rest.count - from, name)
          }
        }
        guard case let more = try got.get(), more > 0 else { break }
        count += more
      }
    } catch {
      if owning { close(descriptor) }
      throw error
    }
    self.head = Array(head[..<count])
  }

  deinit {
    unsafe buffer?.deallocate()
    if ownsDescriptor { close(descriptor) }
  }

  /// Bytes that have been read and not been consumed.
  var count: Int { end - start }

  /// Those bytes; valid until the next call of ``readMore()`` or ``consume(_:)``.
  var bytes: UnsafeRawBufferPointer {
    guard let buffer = unsafe buffer else {
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
    // Between start and end are the ones that were read.
    return unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<end])
  }

  func consume(_ count: Int) {
    precondition(count <= end - start)
    start += count
    offset += UInt64(count)
  }

  /// Reads a piece after what has not been consumed, which must be less than a piece; false at the
  /// end.
  func readMore() throws(SystemError) -> Bool {
    guard let buffer = unsafe buffer else {
      let first = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 2 * RecordedChannel.pieceSize, alignment: 4096)
      unsafe first.copyBytes(from: head)
      unsafe buffer = first
      end = head.count
      return end > 0
    }
    precondition(end - start <= RecordedChannel.pieceSize)
    // Both ranges lie in the buffer, which holds two pieces; memmove allows them to overlap.
    unsafe memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
    end -= start
    start = 0
    let count = try unsafe RecordedChannel.read(
      descriptor, buffer.baseAddress! + end, RecordedChannel.pieceSize, name)
    end += count
    return count > 0
  }

  /// Leaves out so many bytes; how many there were is returned.
  func skip(_ count: Int) throws(SystemError) -> Int {
    var left = count
    while left > 0 {
      if self.count == 0 {
        guard try readMore() else { break }
      }
      let here = min(left, self.count)
      consume(here)
      left -= here
    }
    return count - left
  }

  /// Reads once; 0 at the end.
  private static func read(
    _ descriptor: Int32, _ target: UnsafeMutableRawPointer, _ count: Int, _ name: String
  ) throws(SystemError) -> Int {
    while true {
      // The kernel writes at most `count` bytes; the callers have room for them.
      let got = unsafe Glibc.read(descriptor, target, count)
      if got >= 0 { return got }
      guard errno == EINTR else { throw SystemError("read \(name)") }
    }
  }
}

extension RecordedChannel {
  enum Kind: Equatable {
    case main, recovery, multifd, preempt, encrypted, empty, unknown
  }

  /// What its first bytes tell.
  var kind: Kind {
    guard head.count >= ChannelKind.bytesNeeded else { return head.isEmpty ? .empty : .unknown }
    return switch ChannelKind(firstBytes: head) {
    case .main: .main
    case .recovery: .recovery
    case .multifd: .multifd
    case .encrypted: .encrypted
    case .pageRecord where head.count < 8: .preempt  // Cut inside its first word.
    case .pageRecord, .other: beginsWithPageRecord || carriedNoPage ? .preempt : .unknown
    }
  }

  /// A preempt channel that nobody asked for a page is an EOS record alone where the machine type is
  /// 7.2's or older (`ram.c:postcopy_preempt_shutdown_file`), and empty elsewhere.
  private var carriedNoPage: Bool { head == [0, 0, 0, 0, 0, 0, 0, 0x10] }

  /// A preempt channel's first record is a PAGE (8) or a ZERO (2) that names its block, so neither
  /// continues one: low bits of the first word, which the smallest page leaves for flags, and behind
  /// it a name's length (`ram.c:save_page_header`).
  private var beginsWithPageRecord: Bool {
    guard head.count >= 8 else { return false }
    let flags = (UInt16(head[6]) << 8 | UInt16(head[7])) & 0x3ff
    // It may be cut before the name.
    return (flags == 0x008 || flags == 0x002) && (head.count == 8 || head[8] > 0)
  }
}
