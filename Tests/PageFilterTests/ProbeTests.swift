import PageFilter
import StreamSamples
import Testing

/// Probe pages on the main channel: seen where they pass, and never dropped.
@Suite struct ProbeTests {
  private static let identifications = (0..<4).map { Array("probe number \($0)".utf8) }
  private static let rules = [(0, 3), (0, 20), (1, 0), (0, 2)].enumerated().map {
    ProbeRule(
      address: PageAddress(block: $1.0, page: $1.1), identification: identifications[$0])
  }

  private func probe(_ number: Int, _ size: Int) -> [UInt8] {
    let front = ProbeTests.identifications[number]
    return front + [UInt8](repeating: 0, count: size - front.count)
  }

  /// Where probe `number` is recognised for the first time: the offset after its record.
  private struct Passage: Equatable {
    var number: Int
    var offset: Int
  }

  /// Two rounds over two blocks. Probe 3 is at the mark's place, which is the mark's.
  private func sample(pageBits: Int) -> (stream: SampleStream, passages: [Passage]) {
    var build = StreamBuilder("probes", pageBits: pageBits)
    build.begin()
    build.startRAM([.init("pc.ram", pages: 40), .init("dimm", pages: 30)])
    build.endOfSection()
    build.reopen(2, id: 2)
    let size = build.sample.pageSize
    var passages: [Passage] = []
    build.page(0, 1)
    build.page(0, 2, content: probe(3, size))
    // Not written yet; then it is, and comes once more in a row, which proves nothing new.
    build.page(0, 3)
    build.page(0, 3, content: probe(0, size))
    passages.append(.init(number: 0, offset: build.offset))
    build.page(0, 3, content: probe(0, size))
    build.page(0, 4)
    // Another one's bytes, at the wrong place, and at no probe's place.
    build.page(0, 20, content: probe(0, size))
    build.page(0, 21, content: probe(1, size))
    build.page(0, 22)
    build.zero(1, 0)
    build.page(1, 1, content: probe(2, size))
    build.endOfSection()
    build.reopen(2, id: 2)
    // Passed over: the next watched page is further on.
    build.page(0, 4)
    build.page(0, 30)
    build.page(1, 0, content: probe(2, size))
    passages.append(.init(number: 2, offset: build.offset))
    build.page(1, 2)
    build.page(0, 20, content: probe(1, size))
    passages.append(.init(number: 1, offset: build.offset))
    build.page(0, 21)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.page(1, 0, content: probe(2, size))
    build.endOfSection()
    build.tail()
    return (build.sample, passages)
  }

  @Test(arguments: [10, 12])
  func aProbeIsAStopAfterItsFirstRightCopyWhereverTheStreamIsCut(pageBits: Int) {
    let (sample, passages) = sample(pageBits: pageBits)
    // Everything is dead from the first page on, the probes too by mistake of the guest.
    let places = Set(sample.records.map(\.place))
    let watched = Set(
      ProbeTests.rules.map { SampleStream.Place($0.address.block, $0.address.page) })
    let expected = sample.edited { place, _ in !watched.contains(place) }
    var wrong: [Int] = []
    for cut in stride(from: 0, to: sample.bytes.count, by: pageBits == 10 ? 1 : 13) {
      var seen: [Int] = []
      let run = EditorRun(sample.bytes, cuts: [cut]) { stop, editor in
        if stop == .firstPageRecord {
          editor.install(sample.deadPages(places))
          editor.watch(ProbeTests.rules)
          editor.watch(MarkRule(SampleStream.mark))
        } else if case .probePassed(let number) = stop {
          seen.append(number)
        }
      }
      let offsets = run.stops.filter { $0.kind == .probePassed }.map(\.offset)
      let isRight =
        seen == passages.map(\.number) && offsets == passages.map(\.offset)
        && same(run.output, expected)
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty, "cut at \(wrong.prefix(5))")
  }

  @Test func pagesThatBecomeDeadAtAProbeAreDroppedFromTheNextRecordOn() {
    let (sample, passages) = sample(pageBits: 10)
    let dead = sample.deadPages([])
    let run = EditorRun(sample.bytes) { stop, editor in
      if stop == .firstPageRecord {
        editor.install(dead)
        editor.watch(ProbeTests.rules)
      } else if case .probePassed(let number) = stop {
        dead.insert(0..<(number == 2 ? 30 : 19), block: number == 2 ? 1 : 0)
      }
    }
    let expected = sample.edited { place, offset in
      let number = place.block == 1 ? 2 : 0
      let passage = passages.first { $0.number == number }?.offset ?? .max
      return offset >= passage && [.init(0, 4), .init(1, 2)].contains(place)
    }
    #expect(run.output == expected)
    #expect(run.counters.droppedPages == 3)
  }

  @Test func withoutRulesNothingIsAStop() {
    let (sample, _) = sample(pageBits: 10)
    let run = EditorRun(sample.bytes)
    #expect(!run.stops.contains { $0.kind == .probePassed })
    #expect(same(run.output, sample.bytes))
  }

  @Test func aProbeLongerThanASmallPageMatchesNothing() {
    let (sample, _) = sample(pageBits: 10)
    let long = ProbeRule(
      address: PageAddress(block: 0, page: 3), identification: [UInt8](repeating: 0, count: 2000))
    let run = EditorRun(sample.bytes) { stop, editor in
      if stop == .firstPageRecord { editor.watch([long]) }
    }
    #expect(!run.stops.contains { $0.kind == .probePassed })
  }

  @Test func onlyTheCommonPagesOfTwoSetsAreTakenOver() {
    let held = DeadPages(pagesPerBlock: [200, 10])
    let dead = DeadPages(pagesPerBlock: [200, 10])
    for range in [0..<1, 60..<70, 127..<130, 190..<200] { held.insert(range, block: 0) }
    #expect(held.count(61..<128, block: 0) == 10)
    dead.insert(61..<128, block: 0, of: held)
    #expect((0..<200).filter { dead.contains($0, block: 0) } == Array(61..<70) + [127])
    dead.insert(0..<200, block: 0, of: held)
    #expect(dead.count == held.count && held.count(0..<10, block: 1) == 0)
  }
}

/// The same on multifd channels.
@Suite struct MultifdProbeTests {
  private static let identification: [UInt8] = [13, 13, 13]
  private static let rules = [5, 12].map {
    ProbeRule(address: PageAddress(block: 0, page: $0), identification: identification)
  }

  private func page(_ number: Int, _ value: UInt8?) -> MultifdSample.Page {
    MultifdSample.Page(
      offset: UInt64(number * 4096),
      content: value.map { [UInt8](repeating: $0, count: 4096) })
  }

  @Test(
    "Probes are seen in any order of a packet's pages and are not dropped", arguments: [1, 4096])
  func seen(step: Int) throws {
    let sample = MultifdSample(packets: [
      // Not written yet, in falling order, among the zero pages, and on another block.
      .pages(block: "pc.ram", [page(4, 9), page(5, 9), page(6, 9)], sync: true, number: 1),
      .pages(block: "pc.ram", [page(14, 9), page(12, 13), page(4, 9)], sync: false, number: 2),
      .pages(block: "pc.ram", [page(3, 9), page(5, nil)], sync: false, number: 3),
      .pages(block: "0000:00:02.0/vga.vram", [page(5, 13)], sync: false, number: 4),
      .pages(block: "pc.ram", [page(5, 13), page(12, 13), page(13, 9)], sync: true, number: 5),
    ])
    let run = try MultifdTests.Run(
      sample.bytes, step: step, dead: MultifdTests.deadPages(0..<64), mark: MultifdTests.mark,
      probes: MultifdProbeTests.rules)
    #expect(run.proven == [1, 0])
    let kept = [5, 12].map { "pc.ram/\($0 * 4096)" }
    let dead = Set((0..<64).map { "pc.ram/\($0 * 4096)" }).subtracting(kept)
    #expect(run.output == sample.expected(dead: dead, mark: nil) { _ in })
  }
}
