import Glibc
import StreamProxy
import Synchronization

/// Sends every page of a guest's memory once, as QEMU's threads do.
struct PageSource: Sendable {
  let memory: GuestMemory

  /// On the main channel: records of a first word and a page, gathered in 64 pieces (`MAX_IOV_SIZE` of
  /// QEMU's qemu-file.c).
  func sendRecords(to socket: Socket) throws {
    let section = SourceStream.section
    let pieces = 64
    var writer = GatheredWriter(socket, maximumPieces: pieces)
    // A piece is written before its first word is used again; the buffer lives in the closure.
    try unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: pieces / 2) { words in
      for start in stride(
        from: memory.sent.lowerBound, to: memory.sent.upperBound, by: SourceStream.pagesInSection)
      {
        try socket.write(section.open)
        let end = min(start + SourceStream.pagesInSection, memory.sent.upperBound)
        var used = 0
        for page in start..<end {
          // PAGE and CONTINUE.
          unsafe words[used] = (UInt64(page * GuestMemory.pageSize) | 0x028).bigEndian
          unsafe writer.add(words.baseAddress! + used, 8)
          unsafe writer.add(memory.page(page), GuestMemory.pageSize)
          used += 1
          if writer.isFull {
            try writer.flush()
            used = 0
          }
        }
        try writer.flush()
        try socket.write(section.close)
      }
    }
  }

  /// On a multifd channel: packets of a header and 128 pages, each gathered in one write.
  ///
  /// - Parameter turn: the next packet, taken by whichever channel is free.
  func sendPackets(to socket: Socket, turn: borrowing Atomic<Int>) throws {
    var header = SourceStream.fullPacketHeader
    var writer = GatheredWriter(socket, maximumPieces: 1 + SourceStream.pagesInPacket)
    let size = SourceStream.pagesInPacket
    // The header stays where it is while its packet is written.
    try unsafe header.withUnsafeMutableBytes { bytes in
      while true {
        let packet = turn.add(1, ordering: .relaxed).oldValue
        guard packet < memory.pages / size else { return }
        let first = memory.sent.lowerBound + packet * size
        unsafe writer.add(bytes.baseAddress!, bytes.count)
        for index in 0..<size {
          let offset = UInt64((first + index) * GuestMemory.pageSize)
          unsafe bytes.storeBytes(
            of: offset.bigEndian, toByteOffset: 320 + 8 * index, as: UInt64.self)
          unsafe writer.add(memory.page(first + index), GuestMemory.pageSize)
        }
        try writer.flush()
      }
    }
  }
}
