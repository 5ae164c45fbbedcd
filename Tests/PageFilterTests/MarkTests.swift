import PageFilter
import StreamSamples
import Testing

@Suite struct MarkTests {
  /// A page that carries the mark's identification, and a number to tell copies apart.
  private func copy(_ number: UInt8, _ pageSize: Int) -> [UInt8] {
    var page = StreamBuilder.content(0, Int(number), pageSize)
    page.replaceSubrange(16..<24, with: "the mark".utf8)
    return page
  }

  /// The mark at page 2 of block 0: real copies, a foreign page and a zero page there, and the same
  /// bytes elsewhere.
  private func sample(pageBits: Int) -> SampleStream {
    var build = StreamBuilder("marks", pageBits: pageBits)
    build.begin()
    build.startRAM([.init("pc.ram", pages: 9), .init("pc.bios", pages: 3)])
    build.endOfSection()
    build.reopen(2, id: 2)
    let size = build.sample.pageSize
    build.page(0, 1, content: copy(1, size))
    build.page(0, 2, content: copy(2, size))
    build.page(0, 4)
    build.page(1, 2, content: copy(3, size))
    build.endOfSection()
    build.reopen(2, id: 2)
    build.page(0, 2, content: copy(4, size))
    build.page(0, 2)
    build.zero(0, 2)
    build.page(0, 2, content: copy(5, size))
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.tail()
    return build.sample
  }

  @Test(arguments: [10, 12])
  func theVerdictIsWrittenIntoEveryCopyAndNowhereElseAtEverySplit(pageBits: Int) {
    let sample = sample(pageBits: pageBits)
    // The mark page itself is dead by mistake of the guest: it is not dropped.
    let dead = sample.deadPages([.init(0, 2), .init(0, 4)])
    let expected = sample.edited(mark: SampleStream.mark) { place, _ in place == .init(0, 4) }
    var wrong: [Int] = []
    for cut in stride(from: 0, to: sample.bytes.count, by: pageBits == 10 ? 1 : 13) {
      let run = EditorRun(sample.bytes, cuts: [cut]) {
        $1.watch(MarkRule(SampleStream.mark))
        $1.install(dead)
      }
      let isRight =
        run.counters.markCopies == 3 && run.counters.droppedPages == 1
        && same(run.output, expected)
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
  }

  @Test func theLastCopyIsKeptAsTheGuestWroteIt() {
    let sample = sample(pageBits: 10)
    let run = EditorRun(sample.bytes) { $1.watch(MarkRule(SampleStream.mark)) }
    #expect(run.lastMarkCopy == copy(5, 1024))
    #expect(EditorRun(sample.bytes).lastMarkCopy == nil)
  }

  @Test func aForeignPageOrAZeroPageAtTheMarksPlaceTakesTheCopyAway() {
    let sample = sample(pageBits: 10)
    // After the foreign page, and after the zero page.
    let places = sample.records.filter { $0.place == .init(0, 2) }
    for end in [places[2], places[3]].map({ sample.range(of: $0).upperBound }) {
      let run = EditorRun(Array(sample.bytes[..<end])) { $1.watch(MarkRule(SampleStream.mark)) }
      #expect(run.lastMarkCopy == nil)
      #expect(run.counters.markCopies == 2)
    }
  }

  /// A frame that was let go and belongs to somebody else, who has written to other parts of it only.
  @Test func aPageThatHasTheIdentificationAndIsSomebodyElsesIsLeftAsItIs() {
    let zeroes = 100..<1000
    let rule = MarkRule(
      address: PageAddress(block: 0, page: 2), identification: Array("the mark".utf8),
      identificationOffset: 16, zeroes: zeroes, verdict: [1, 2, 3, 4], verdictOffset: 600)
    var own = copy(1, 1024)
    own.replaceSubrange(zeroes, with: repeatElement(0, count: zeroes.count))
    for place in [zeroes.lowerBound, rule.verdictOffset, zeroes.upperBound - 1] {
      var foreign = own
      foreign[place] = 1
      var build = StreamBuilder("freed mark", pageBits: 10)
      build.begin()
      build.startRAM([.init("pc.ram", pages: 9)])
      build.endOfSection()
      build.reopen(3, id: 2)
      build.page(0, 2, content: own)
      build.page(0, 2, content: foreign)
      build.endOfSection()
      build.tail()
      let sample = build.sample
      let run = EditorRun(sample.bytes) { $1.watch(rule) }
      #expect(run.counters.markCopies == 1)
      #expect(run.lastMarkCopy == nil)
      var expected = sample.bytes
      let first = sample.range(of: sample.records[0]).upperBound - 1024 + rule.verdictOffset
      expected.replaceSubrange(first..<first + 4, with: rule.verdict)
      #expect(same(run.output, expected))
    }
  }

  @Test func aRuleThatReachesBeyondASmallPageMatchesNothing() {
    let sample = sample(pageBits: 10)
    let address = PageAddress(block: 0, page: 2)
    let mark = Array("the mark".utf8)
    for rule in [
      MarkRule(
        address: address, identification: mark, identificationOffset: 16, verdict: [1, 2, 3, 4],
        verdictOffset: 1022),
      MarkRule(
        address: address, identification: mark, identificationOffset: 16, zeroes: 2000..<4096,
        verdict: [1], verdictOffset: 0),
      MarkRule(
        address: address, identification: [0], identificationOffset: 4000, verdict: [1],
        verdictOffset: 0),
    ] {
      let run = EditorRun(sample.bytes) { $1.watch(rule) }
      #expect(run.counters.markCopies == 0)
      #expect(same(run.output, sample.bytes))
    }
  }
}
