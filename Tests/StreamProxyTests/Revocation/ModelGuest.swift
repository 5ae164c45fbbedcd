import Glibc
import HookLink

@testable import StreamProxy

/// A guest that has reported, and takes one piece of its hold after the other back, to write into it as
/// soon as that is acknowledged.
struct ModelGuest {
  let memory: ModelMemory
  let migration: MigrationID
  let socket: Socket
  private var decoder = FrameDecoder()
  private var sequence: UInt64 = 0
  private var word: UInt64 = 1

  init(_ memory: ModelMemory, _ migration: MigrationID, _ socket: Socket) {
    (self.memory, self.migration, self.socket) = (memory, migration, socket)
  }

  /// Everything but the probe, which is the first page.
  mutating func report() throws {
    try send(
      GuestMessage.Mark(
        guestPhysicalAddress: UInt64(ModelMemory.held.upperBound - 1) * 4096, time: 1,
        guardianVersion: "test"))
    var bitmap = [UInt8](repeating: 0, count: 128)
    let held = ModelMemory.held.dropFirst().dropLast()
    for page in held { bitmap[page / 8] |= 1 << UInt8(page % 8) }
    try send(HeldPages(firstPage: 0, bitmap: bitmap))
    try send(
      GuestMessage.ReportEnd(
        pages: UInt64(held.count), pagesZeroed: 0,
        probes: [UInt64(ModelMemory.held.lowerBound) * 4096], leavesListed: 0, leavesInManifest: 0,
        leavesEvicted: 0, steps: [], notes: []))
  }

  /// Takes pieces back in an order of its own until nothing is held, and goes on writing into what it has.
  mutating func takeEverythingBack() throws {
    var pieces = stride(from: ModelMemory.held.lowerBound, to: ModelMemory.held.upperBound, by: 8)
      .map { $0..<$0 + 8 }
    pieces.shuffle()
    for (index, piece) in pieces.enumerated() {
      try revoke(piece)
      // The frames are somebody else's now; and whoever had some before goes on with them.
      for pages in [piece, pieces[Int.random(in: 0...index)]] {
        for page in pages { write(page) }
      }
    }
  }

  private mutating func write(_ page: Int) {
    word += 1
    memory.pages[page].write(word)
  }

  private mutating func revoke(_ pages: Range<Int>) throws {
    sequence += 1
    let range = PageRange(first: UInt64(pages.lowerBound), count: UInt64(pages.count))
    try send(GuestMessage.Revoke(sequence: sequence, ranges: [range]))
    while true {
      while let frame = try decoder.next() {
        if case .acknowledge(let answer) = try HostMessage(frame), answer.sequence == sequence {
          return
        }
      }
      guard let bytes = socket.readSome(), !bytes.isEmpty else {
        throw SystemError("read the acknowledgement", code: EPIPE)
      }
      decoder.append(bytes)
    }
  }

  private func send(_ message: some Message) throws {
    try socket.write(message.frame(for: migration))
  }
}
