import PageFilter
import StreamSamples
import Testing

/// Channels without a beginning of their own.
@Suite struct ChannelTests {
  private static let blocks = [
    RAMBlock(name: "pc.ram", usedLength: 9 << 12), RAMBlock(name: "pc.bios", usedLength: 2 << 12),
  ]

  /// Bytes through an editor, cut once.
  private struct Run {
    var output: [UInt8] = []
    var counters: StreamCounters
    var blockPages: [RoundCounters]
    var blocks: [RAMBlock]
    var unread: BypassReason?

    init(_ bytes: [UInt8], cutAt cut: Int, _ begun: consuming StreamEditor) throws(StreamError) {
      var editor = begun
      var edits = EditList()
      var start = 0
      for end in [cut, bytes.count] {
        pushing: while true {
          edits.reset()
          // The array outlives the span.
          let input = unsafe bytes.span.bytes.extracting(start..<end)
          let progress = try editor.process(input, into: &edits)
          for index in 0..<edits.segmentCount {
            switch edits[segment: index] {
            case .forward(let range):
              output += bytes[start + range.lowerBound..<start + range.upperBound]
            // The list is not changed meanwhile.
            case .insert(let range): unsafe output.append(contentsOf: edits.insertedBytes[range])
            }
          }
          switch progress {
          case .needsInput(let count):
            start += count
            break pushing
          case .outputFull(let count), .reached(_, let count): start += count
          }
        }
      }
      counters = editor.counters
      blockPages = editor.blockPages
      blocks = editor.blocks
      unread = editor.unread?.reason
    }
  }

  private func cuts(_ sample: SampleStream) -> some Sequence<Int> {
    stride(from: 0, through: sample.bytes.count, by: 7)
  }

  @Test(arguments: [false, true])
  func deadPagesOfAPreemptChannelAreDroppedAtEverySplit(ends: Bool) throws {
    let sample = SampleStream.preempt(ends: ends)
    let dead = DeadPages(pagesPerBlock: [9, 0])
    for page in [1, 2, 5] { dead.insert(page..<page + 1, block: 0) }
    let expected = sample.edited { place, _ in place.block == 0 && [1, 2, 5].contains(place.page) }
    for cut in cuts(sample) {
      var editor = StreamEditor(preemptChannelOf: ChannelTests.blocks)
      editor.install(dead)
      let run = try Run(sample.bytes, cutAt: cut, editor)
      #expect(same(run.output, expected), "cut at \(cut)")
      #expect(run.counters.droppedPages == 3 && run.unread == nil)
    }
  }

  @Test func aPreemptChannelThatCarriesNoPageEndsAtEverySplit() throws {
    let sample = SampleStream.preemptWithoutPages()
    for cut in 0...sample.bytes.count {
      let run = try Run(sample.bytes, cutAt: cut, StreamEditor(preemptChannelOf: []))
      #expect(same(run.output, sample.bytes), "cut at \(cut)")
      #expect(run.counters.ramBodies == 1 && run.counters.rawBytes == 0 && run.unread == nil)
    }
  }

  @Test func blocksOfAPreemptChannelAreLearnedWhereTheyWereNotAnnounced() throws {
    let sample = SampleStream.preempt()
    for cut in cuts(sample) {
      let learning = StreamEditor(preemptChannelOf: [], learnsBlocks: true)
      let run = try Run(sample.bytes, cutAt: cut, learning)
      #expect(run.blocks.map(\.name) == ["pc.ram", "pc.bios"])
      #expect(run.blockPages.map(\.normal) == [3, 1] && run.blockPages.map(\.zero) == [1, 0])
      #expect(run.unread == nil && same(run.output, sample.bytes))
    }
    let strict = try Run(sample.bytes, cutAt: 0, StreamEditor(preemptChannelOf: []))
    #expect(strict.unread == .unknownBlock("pc.ram") && same(strict.output, sample.bytes))
  }

  @Test func aRecoveryIsReadWithWhatTheBrokenConnectionHasTold() throws {
    var main = StreamEditor()
    var edits = EditList()
    let broken = SampleStream.postCopy()
    var start = 0
    reading: while true {
      edits.reset()
      // The array outlives the span.
      let rest = unsafe broken.bytes.span.bytes.extracting(start...)
      switch try main.process(rest, into: &edits) {
      case .needsInput: break reading
      case .outputFull(let count), .reached(_, let count): start += count
      }
    }
    var build = StreamBuilder("pages of the other size")
    #expect(main.targetPageSize == build.sample.pageSize)
    build.announce([.init("pc.ram", pages: 9), .init("pc.bios", pages: 2)])
    build.command(10, [6] + Array("pc.ram".utf8))
    build.command(9)
    build.reopen(2, id: 2)
    build.page(0, 2)
    build.zero(1, 1)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.put(0x00)
    for cut in 0...build.offset {
      let run = try Run(build.sample.bytes, cutAt: cut, StreamEditor(recoveryOf: main))
      #expect(same(run.output, build.sample.bytes), "cut at \(cut)")
      #expect(run.counters.normalPages == 1 && run.counters.zeroPages == 1 && run.unread == nil)
      #expect(run.counters.ramEnded)
    }
  }
}
