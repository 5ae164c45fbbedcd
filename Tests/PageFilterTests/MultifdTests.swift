import PageFilter
import Testing

@Suite("Multifd channels")
struct MultifdTests {
  static let blocks = [
    RAMBlock(name: "pc.ram", usedLength: 64 * 4096),
    RAMBlock(name: "0000:00:02.0/vga.vram", usedLength: 64 * 4096),
  ]
  /// A page of content 11 (see the samples): page 10 of pc.ram.
  static let mark = MarkRule(
    address: PageAddress(block: 0, page: 10), identification: [11, 11, 11],
    identificationOffset: 0, verdict: [1, 2, 3, 4], verdictOffset: 64)

  static func deadPages(_ numbers: Range<Int>) -> DeadPages {
    let dead = DeadPages(pagesPerBlock: [64, 0])
    dead.insert(numbers, block: 0)
    return dead
  }

  /// What a channel's thread does, with a source that gives `step` bytes at a time.
  struct Run {
    var output: [UInt8] = []
    var syncsSeen = 0
    var proven: [Int] = []
    var editor = MultifdEditor()
    private var packet = MultifdPacket()

    init(
      _ input: [UInt8], step: Int, dead: DeadPages?, mark: MarkRule?, probes: [ProbeRule] = [],
      mayDrop: Bool = true
    ) throws(BypassReason) {
      var at = 0
      var header: [UInt8] = []
      while at < input.count || !header.isEmpty {
        // Borrowed for the call only.
        switch try unsafe editor.process(header.span.bytes, into: &packet) {
        case .needsHeader(let total):
          let more = min(step, total - header.count, input.count - at)
          precondition(more > 0, "wants a header of \(total) bytes at the end of the input")
          header += input[at..<at + more]
          at += more
        case .firstPages:
          editor.begin(blocks: MultifdTests.blocks, dead: dead, mark: mark, probes: probes) {
            mayDrop
          }
        case .decided:
          output += packet.header
          for run in packet.runs {
            var bytes = Array(input[at..<at + run.count])
            at += run.count
            switch run {
            case .forward: output += bytes
            case .discard: break
            case .mark:
              editor.passMark(&bytes)
              output += bytes
            case .probe(_, let number):
              if editor.passProbe(bytes, number: number) { proven.append(number) }
              output += bytes
            }
          }
          editor.passed(packet)
          if packet.isSync { syncsSeen += 1 }
          header = []
        }
      }
    }
  }

  @Test("Whatever the packets and however they are cut, the result is the oracle's")
  func equalsTheOracle() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<40 {
      let sample = MultifdSample.random(&generator)
      let input = sample.bytes
      let dead = Set((4..<40).map { "pc.ram/\($0 * 4096)" })
      let expected = sample.expected(dead: dead, mark: "pc.ram/\(10 * 4096)") { content in
        content.replaceSubrange(64..<68, with: [1, 2, 3, 4])
      }
      for step in [1, 7, 64, 320, 4096] {
        let run = try Run(
          input, step: step, dead: MultifdTests.deadPages(4..<40), mark: MultifdTests.mark)
        #expect(run.output == expected)
      }
    }
  }

  @Test("A header that is cut at any byte decides nothing and changes nothing")
  func everyCutOfAHeader() throws {
    let pages = (0..<6).map {
      MultifdSample.Page(
        offset: UInt64($0 * 4096), content: [UInt8](repeating: UInt8($0 + 1), count: 4096))
    }
    let packet = MultifdSample.encode(.pages(block: "pc.ram", pages, sync: true, number: 1))
    let device = MultifdSample.encode(.device(name: "x", [1, 2, 3]))
    for (bytes, length) in [(MultifdSample.hello, 64), (packet, 1344), (device, 276)] {
      for cut in 0..<length {
        var editor = MultifdEditor()
        var decided = MultifdPacket()
        if length != 64 {
          let hello = MultifdSample.hello
          _ = try unsafe editor.process(hello.span.bytes, into: &decided)
        }
        editor.begin(blocks: MultifdTests.blocks, dead: MultifdTests.deadPages(2..<4), mark: nil)
        let head = Array(bytes[..<cut])
        let progress = try unsafe editor.process(head.span.bytes, into: &decided)
        guard case .needsHeader(let total) = progress else {
          Issue.record("decided on \(cut) of \(length) bytes")
          return
        }
        #expect(total > cut && total <= length)
        #expect(editor.counters.normalPages == 0)
        let whole = Array(bytes[..<length])
        let finished = try unsafe editor.process(whole.span.bytes, into: &decided)
        #expect(finished == .decided)
      }
    }
  }

  @Test("A channel that comes too late to drop passes every page as it is")
  func droppingRefused() throws {
    let pages = (4..<8).map {
      MultifdSample.Page(
        offset: UInt64($0 * 4096), content: [UInt8](repeating: 9, count: 4096))
    }
    let sample = MultifdSample(packets: [
      .pages(block: "pc.ram", pages, sync: false, number: 1),
      .pages(block: "pc.ram", pages, sync: true, number: 2),
    ])
    for step in [1, 7, 4096] {
      let run = try Run(
        sample.bytes, step: step, dead: MultifdTests.deadPages(0..<64), mark: nil, mayDrop: false)
      #expect(run.output == sample.bytes && run.editor.counters.droppedPages == 0)
    }
  }

  @Test("A packet that loses all its pages carries no payload and no size")
  func emptiedPacket() throws {
    let pages = (4..<8).map {
      MultifdSample.Page(
        offset: UInt64($0 * 4096), content: [UInt8](repeating: 9, count: 4096))
    }
    let sample = MultifdSample(packets: [.pages(block: "pc.ram", pages, sync: false, number: 1)])
    let run = try Run(sample.bytes, step: 4096, dead: MultifdTests.deadPages(0..<64), mark: nil)
    #expect(run.output.count == 64 + 1344)
    #expect(Array(run.output[64 + 16..<64 + 24]) == [UInt8](repeating: 0, count: 8))
    #expect(Array(run.output[64 + 32..<64 + 36]) == [0, 0, 0, 4])
    #expect(run.editor.counters.droppedPages == 4)
  }

  @Test("Synchronisations are counted, also those that ride on a packet with pages")
  func synchronisations() throws {
    let page = MultifdSample.Page(offset: 0, content: [UInt8](repeating: 9, count: 4096))
    let sample = MultifdSample(packets: [
      .stale(block: "", size: 0, sync: true),
      .pages(block: "pc.ram", [page], sync: true, number: 1),
      .pages(block: "pc.ram", [page], sync: false, number: 2),
      .stale(block: "pc.ram", size: 4096, sync: true),
    ])
    let run = try Run(sample.bytes, step: 100, dead: nil, mark: nil)
    #expect(run.editor.syncs == 3 && run.output == sample.bytes)
  }

  @Test("A revoked page is forwarded even if its neighbours in the packet are not")
  func revokedPage() throws {
    let pages = (4..<7).map {
      MultifdSample.Page(offset: UInt64($0 * 4096), content: [UInt8](repeating: 9, count: 4096))
    }
    let sample = MultifdSample(packets: [.pages(block: "pc.ram", pages, sync: false, number: 1)])
    let dead = MultifdTests.deadPages(4..<7)
    dead.remove(5..<6, block: 0)
    let run = try Run(sample.bytes, step: 4096, dead: dead, mark: nil)
    let expected = sample.expected(dead: ["pc.ram/16384", "pc.ram/24576"], mark: nil) { _ in }
    #expect(run.output == expected)
  }

  @Test("Zeroes at the mark's address are no copy of it")
  func zeroedMark() throws {
    let copy = MultifdSample.Page(
      offset: 10 * 4096, content: [UInt8](repeating: 11, count: 4096))
    let gone = MultifdSample.Page(offset: 10 * 4096, content: nil)
    let sample = MultifdSample(packets: [
      .pages(block: "pc.ram", [copy], sync: true, number: 1),
      .pages(block: "pc.ram", [gone], sync: true, number: 2),
    ])
    let run = try Run(sample.bytes, step: 4096, dead: nil, mark: MultifdTests.mark)
    #expect(run.editor.counters.markCopies == 1 && run.editor.lastMarkCopy == nil)
  }

  @Test(
    "A header that makes no sense is refused",
    arguments: [
      (offset: 0, value: 0x12 as UInt8), (offset: 7, value: 2), (offset: 18, value: 1),
      (offset: 22, value: 0xff), (offset: 64, value: 0x21), (offset: 320, value: 1),
      (offset: 327, value: 1), (offset: 11, value: 2), (offset: 34, value: 1),
      (offset: 11, value: 0x80), (offset: 10, value: 1),
    ])
  func nonsense(_ change: (offset: Int, value: UInt8)) throws {
    let page = MultifdSample.Page(offset: 4096, content: [UInt8](repeating: 9, count: 4096))
    var bytes = MultifdSample(packets: [.pages(block: "pc.ram", [page], sync: false, number: 1)])
      .bytes
    bytes[64 + change.offset] = change.value
    #expect(throws: BypassReason.self) {
      _ = try Run(bytes, step: 4096, dead: MultifdTests.deadPages(0..<64), mark: nil)
    }
  }
}
