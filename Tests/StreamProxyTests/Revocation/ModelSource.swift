import PageFilter
import StreamSamples

/// One of QEMU's channels and the proxy's editor for it, on one thread: dirty pages are read, wait for a
/// while in one piece, and are edited then.
struct ModelSource: ~Copyable {
  /// Pages that are on their way when they are edited.
  private static let batch = 16

  private let memory: ModelMemory
  /// A page is sent on one channel.
  private let pages: [Int]
  private var editor = StreamEditor()
  private var edits = EditList()
  private var isFirst = true

  init(_ memory: ModelMemory, channel: Int, of channels: Int, dead: DeadPages) {
    self.memory = memory
    pages = Array(stride(from: channel, to: ModelMemory.pages, by: channels))
    var build = StreamBuilder("preamble", pageBits: 12)
    build.begin()
    build.startRAM([.init(ModelMemory.block, pages: ModelMemory.pages)])
    build.endOfSection()
    build.reopen(2, id: 2)
    _ = edit(build.sample.bytes)
    editor.install(dead)
  }

  /// Sends everything that is dirty once; how many pages that were.
  mutating func sendRound() -> Int {
    var sent = 0
    var batch: [UInt8] = []
    for page in pages {
      guard let word = memory.pages[page].takeForSending() else { continue }
      batch += record(page, word)
      sent += 1
      if sent % ModelSource.batch == 0 {
        arrive(edit(batch))
        batch.removeAll(keepingCapacity: true)
      }
    }
    arrive(edit(batch))
    return sent
  }

  var droppedPages: Int { editor.counters.droppedPages }

  private mutating func record(_ page: Int, _ word: UInt64) -> [UInt8] {
    // PAGE, and CONTINUE after the first one, which names the block.
    let flags: UInt64 = isFirst ? 0x008 : 0x028
    var record = bytes(UInt64(page * 4096) | flags)
    if isFirst { record += [UInt8(ModelMemory.block.utf8.count)] + Array(ModelMemory.block.utf8) }
    isFirst = false
    record += bytes(word)
    record += [UInt8](repeating: 0, count: 4096 - 8)
    return record
  }

  private func bytes(_ word: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
  }

  private mutating func edit(_ input: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    var start = 0
    while start < input.count {
      edits.reset()
      // The array outlives the span. What it holds is a stream that can be read.
      let span = unsafe input.span.bytes.extracting(start..<input.count)
      guard let progress = try? editor.process(span, into: &edits) else { return output }
      for index in 0..<edits.segmentCount {
        switch edits[segment: index] {
        case .forward(let range):
          output += input[start + range.lowerBound..<start + range.upperBound]
        // Copied before the list changes.
        case .insert(let range): output += unsafe Array(edits.insertedBytes[range])
        }
      }
      switch progress {
      case .needsInput: return output
      case .outputFull(let count), .reached(_, let count): start += count
      }
    }
    return output
  }

  /// The destination takes whole records in.
  private func arrive(_ stream: [UInt8]) {
    var place = 0
    while place < stream.count {
      let header = word(stream, place)
      place += 8
      if header & 0x020 == 0 { place += 1 + Int(stream[place]) }
      let isZero = header & 0x002 != 0
      let content = isZero ? 0 : word(stream, place)
      memory.pages[Int(header / 4096)].arrived.store(content, ordering: .relaxed)
      place += isZero ? 1 : 4096
    }
  }

  private func word(_ bytes: [UInt8], _ place: Int) -> UInt64 {
    bytes[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) }
  }
}
