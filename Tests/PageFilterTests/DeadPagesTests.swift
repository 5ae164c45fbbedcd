import PageFilter
import StreamSamples
import Testing

@Suite struct DeadPagesTests {
  @Test func runsAreEnteredAndTakenOutAtEveryEdgeOfWords() {
    for first in [0, 1, 63, 64, 65, 127] {
      for count in [0, 1, 2, 63, 64, 65, 130] {
        let dead = DeadPages(pagesPerBlock: [0, 300])
        dead.insert(first..<first + count, block: 1)
        #expect(dead.count == count)
        for page in 0..<300 {
          #expect(dead.contains(page, block: 1) == (first..<first + count).contains(page))
        }
        dead.remove(first..<first + 1, block: 1)
        #expect(dead.count == max(0, count - 1))
        dead.remove(0..<1_000_000, block: 1)
        #expect(dead.count == 0)
      }
    }
  }

  @Test func whatLiesOutsideIsNotDead() {
    let dead = DeadPages(pagesPerBlock: [0, 70])
    dead.insert(0..<70, block: 1)
    #expect(!dead.contains(0, block: 0))
    #expect(!dead.contains(70, block: 1))
    #expect(!dead.contains(127, block: 1))
    dead.remove(0..<10, block: 0)
    dead.removeAll()
    #expect(dead.count == 0)
  }

  /// A revocation takes effect for every record that has not been looked up.
  @Test func aPageThatIsTakenOutBetweenTwoPiecesIsForwarded() {
    let sample = SampleStream.preCopy()
    var wrong: [Int] = []
    for cut in 0...sample.bytes.count {
      let dead = sample.deadPages()
      let run = EditorRun(
        sample.bytes, cuts: [cut],
        atStop: { $1.install(dead) },
        afterPiece: { end, _ in if end == cut { dead.remove(0..<9, block: 0) } })
      // What is cut off is met when the rest has come.
      let expected = sample.edited { place, offset in
        guard SampleStream.deadPages.contains(place) else { return false }
        return place.block == 1 || offset + 8 + sample.pageSize <= cut
      }
      if !same(run.output, expected) && !isNamedRecord(at: cut, sample) { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
  }

  /// The first page of a block run is longer by the name, which the rule above leaves out.
  private func isNamedRecord(at cut: Int, _ sample: SampleStream) -> Bool {
    sample.records.contains { $0.headerLength > 8 && sample.range(of: $0).contains(cut) }
  }

  /// The editor reads bits while another thread clears them: a page that has been taken out before
  /// its record was made is never dropped.
  @Test func aRemovalOnAnotherThreadIsSeenByEveryLaterRecord() async {
    var build = StreamBuilder("one page over and over")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 64)])
    build.endOfSection()
    build.reopen(2, id: 2)
    for page in 0..<64 { build.page(0, page) }
    let sample = build.sample
    for _ in 0..<200 {
      let dead = sample.deadPages(Set((0..<64).map { .init(0, $0) }))
      async let removed: Void = dead.remove(0..<64, block: 0)
      _ = EditorRun(sample.bytes) { $1.install(dead) }
      await removed
      let after = EditorRun(sample.bytes) { $1.install(dead) }
      #expect(after.counters.droppedPages == 0)
    }
  }

  @Test func deadPagesOfFewerBlocksThanTheStreamHasTouchNoOther() {
    let sample = SampleStream.preCopy()
    let dead = DeadPages(pagesPerBlock: [3])
    dead.insert(0..<3, block: 0)
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    #expect(
      same(run.output, sample.edited { place, _ in place.block == 0 && place.page < 3 }))
  }
}
