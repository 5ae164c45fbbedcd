import PageFilter
import StreamSamples
import Testing

/// The proxy reads what the kernel gives it, so a stream may be cut anywhere.
@Suite struct SplitTests {
  @Test(arguments: SampleStream.editable)
  func withNothingDeadEverySplitPassesTheStreamUnchanged(sample: SampleStream) {
    check(sample, expected: sample.bytes) { _ in }
  }

  @Test(arguments: SampleStream.editable)
  func withDeadPagesEverySplitGivesTheOraclesStream(sample: SampleStream) {
    let dead = sample.deadPages()
    let expected = sample.edited { place, _ in SampleStream.deadPages.contains(place) }
    #expect(expected.count < sample.bytes.count - 4 * sample.pageSize)
    check(sample, expected: expected) { $0.install(dead) }
  }

  @Test func everySplitOfAStreamWithADiskChunkGivesTheOraclesStream() {
    let sample = SampleStream.disks(chunk: true)
    let dead = sample.deadPages()
    let expected = sample.edited { place, _ in SampleStream.deadPages.contains(place) }
    for cut in stride(from: 0, through: sample.bytes.count, by: 65_521) {
      let run = EditorRun(sample.bytes, cuts: [cut]) { $1.install(dead) }
      #expect(same(run.output, expected), "cut at \(cut)")
    }
  }

  /// Pages that are dead for the first time somewhere in the middle of a run of plain ones, and in
  /// streams longer than one edit list.
  @Test(arguments: [1, 2, 3, 7])
  func anEditListThatIsFullLosesNothing(every: Int) {
    var build = StreamBuilder("long")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 9000)])
    build.endOfSection()
    build.reopen(2, id: 2)
    for page in 0..<9000 { build.page(0, page, content: build.sample.filling(page)) }
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.tail()
    let sample = build.sample
    let places = stride(from: 0, to: 9000, by: every).map { SampleStream.Place(0, $0) }
    let dead = sample.deadPages(Set(places))
    let expected = sample.edited { place, _ in place.page % every == 0 }
    for cut in [0, 5_000_000] {
      let run = EditorRun(sample.bytes, cuts: [cut]) { $1.install(dead) }
      #expect(same(run.output, expected))
      #expect(run.counters.droppedPages == places.count)
      #expect(run.counters.bytesOut == UInt64(expected.count))
    }
  }

  private func check(
    _ sample: SampleStream, expected: [UInt8], install: (inout StreamEditor) -> Void
  ) {
    let whole = EditorRun(sample.bytes) { _, editor in install(&editor) }
    var wrong: [Int] = []
    func judge(_ run: EditorRun, _ cut: Int) {
      guard run.failure == nil, run.bypassReason == nil, run.stops == sample.stops,
        run.counters == whole.counters, run.rounds == whole.rounds,
        same(run.output, expected)
      else {
        wrong.append(cut)
        return
      }
    }
    judge(whole, -1)
    judge(EditorRun(sample.bytes, cuts: 1..<sample.bytes.count) { install(&$1) }, -2)
    for cut in 0...sample.bytes.count where wrong.isEmpty {
      judge(EditorRun(sample.bytes, cuts: [cut]) { install(&$1) }, cut)
    }
    #expect(wrong.isEmpty, "-1 is the whole stream, -2 one byte at a time, others where it was cut")
    #expect(whole.stops == sample.stops)
    #expect(whole.counters.bytesIn == UInt64(sample.bytes.count))
    #expect(whole.counters.bytesOut == UInt64(expected.count))
    #expect(whole.truncation == nil)
  }
}

extension SampleStream {
  /// A page of one byte's repetition, which is quick to make.
  func filling(_ page: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(truncatingIfNeeded: page), count: pageSize)
  }
}
