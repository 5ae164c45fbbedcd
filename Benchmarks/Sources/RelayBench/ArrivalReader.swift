import Glibc
import StreamProxy

/// Reads one connection at the destination to its end, with a buffer that stays in the processor's cache.
struct ArrivalReader {
  /// Of one read.
  private static let size = 256 * 1024

  private let socket: Socket
  private let counted: (Int) -> Void

  /// - Parameter counted: told of every byte that has been read.
  init(_ socket: Socket, counted: @escaping (Int) -> Void) {
    self.socket = socket
    self.counted = counted
  }

  func readToEnd(beginning: Int) throws -> (pages: Int, zeroPages: Int) {
    // One buffer, for this call; every access below stays in it.
    let longest = SourceStream.packetHeader + SourceStream.pagesInPacket * GuestMemory.pageSize
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: longest + ArrivalReader.size, alignment: 4096)
    defer { unsafe buffer.deallocate() }
    guard try unsafe fill(buffer, from: 0, to: 4) else { return (0, 0) }
    let magic = unsafe UInt32(bigEndian: buffer.loadUnaligned(as: UInt32.self))
    return magic == 0x1122_3344
      ? try unsafe readPackets(buffer) : try unsafe readRecords(buffer, beginning: beginning)
  }

  private func readRecords(
    _ buffer: UnsafeMutableRawBufferPointer, beginning: Int
  ) throws -> (pages: Int, zeroPages: Int) {
    var records = ArrivedRecords(after: beginning)
    var end = 4
    while true {
      let consumed = try unsafe records.read(UnsafeRawBufferPointer(rebasing: buffer[..<end]))
      // What is left is less than a record.
      unsafe memmove(buffer.baseAddress!, buffer.baseAddress! + consumed, end - consumed)
      end -= consumed
      let free = unsafe UnsafeMutableRawBufferPointer(
        rebasing: buffer[end..<end + ArrivalReader.size])
      let count = try unsafe socket.read(into: free)
      guard count > 0 else { return (records.pages, records.zeroPages) }
      end += count
      counted(count)
    }
  }

  /// Headers, and the pages that they announce.
  private func readPackets(
    _ buffer: UnsafeMutableRawBufferPointer
  ) throws -> (pages: Int, zeroPages: Int) {
    var (pages, zeroPages) = (0, 0)
    // The rest of MultiFDInit.
    guard try unsafe fill(buffer, from: 4, to: 64) else { throw cut }
    let header = SourceStream.packetHeader
    while try unsafe fill(buffer, from: 0, to: header) {
      func word(_ at: Int) -> Int {
        unsafe Int(UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
      }
      let (normal, size, zero) = (word(16), word(20), word(32))
      guard word(0) == 0x1122_3344, normal + zero <= SourceStream.pagesInPacket,
        normal == 0 || size == normal * GuestMemory.pageSize
      else { throw BenchError("what is no multifd packet arrived") }
      if normal > 0 {
        guard try unsafe fill(buffer, from: header, to: header + size) else { throw cut }
      }
      for index in 0..<normal {
        let offset = unsafe buffer.loadUnaligned(
          fromByteOffset: 320 + 8 * index, as: UInt64.self)
        let page = Int(UInt64(bigEndian: offset)) / GuestMemory.pageSize
        let first = unsafe buffer.loadUnaligned(
          fromByteOffset: header + index * GuestMemory.pageSize, as: UInt64.self)
        if page >= GuestMemory.first, first != GuestMemory.firstWord(of: page) {
          throw BenchError("page \(page) arrived with the content of another")
        }
      }
      pages += normal
      zeroPages += zero
    }
    return (pages, zeroPages)
  }

  private var cut: BenchError { BenchError("a multifd channel ended inside a packet") }

  /// Reads until the buffer holds the bytes up to `end`; false where the connection ends at `start`.
  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, from start: Int, to end: Int
  ) throws -> Bool {
    var at = start
    while at < end {
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[at..<end])
      let count = try unsafe socket.read(into: free)
      guard count > 0 else {
        if at == start { return false }
        throw cut
      }
      at += count
      counted(count)
    }
    return true
  }
}
