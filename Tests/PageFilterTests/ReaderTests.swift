import PageFilter
import StreamSamples
import Testing

/// Streams that are followed where nothing is edited.
@Suite struct ReaderTests {
  @Test(arguments: PassedSample.followed)
  func whatAnEditorPassesIsReadToItsEndAtEverySplit(sample: PassedSample) throws {
    let bytes = sample.stream.bytes
    let reading = try #require(sample.reading)
    let whole = EditorRun(bytes, readsOnly: true)
    #expect(whole.counters.normalPages == sample.stream.records.count { !$0.isZero })
    #expect(whole.counters.zeroPages == sample.stream.records.count { $0.isZero })
    #expect(whole.counters.xbzrlePages == reading.xbzrle)
    #expect(whole.counters.compressedPages == reading.compressed)
    #expect(whole.rounds.reduce(0) { $0 + $1.xbzrle } == reading.xbzrle)
    #expect(whole.rounds.reduce(0) { $0 + $1.compressed } == reading.compressed)
    #expect(whole.counters.rawBytes == UInt64(reading.tail))
    #expect(whole.isBackgroundSnapshot == (sample.stream.name == "background-snapshot"))
    let parts = whole.sections.reduce(0) { $0 + $1.bytes }
    #expect(
      whole.counters.preambleBytes + whole.counters.commandBytes + parts + whole.counters.rawBytes
        == UInt64(bytes.count))
    var wrong: [Int] = []
    for cut in 0...bytes.count {
      let run = EditorRun(bytes, readsOnly: true, cuts: [cut])
      let isRight =
        run.bypassReason == nil && run.failure == nil && run.truncation == nil
        && run.counters == whole.counters && run.rounds == whole.rounds
        && run.sections == whole.sections && same(run.output, bytes)
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
  }

  @Test(arguments: SampleStream.multifdMains)
  func aMainChannelBesideMultifdIsReadAtEverySplit(sample: SampleStream) {
    let whole = EditorRun(sample.bytes, readsOnly: true)
    #expect(whole.counters.multifdSyncs >= 2 && whole.counters.ramEnded)
    var wrong: [Int] = []
    for cut in 0...sample.bytes.count {
      let run = EditorRun(sample.bytes, readsOnly: true, cuts: [cut])
      let isRight =
        run.bypassReason == nil && run.counters == whole.counters && run.truncation == nil
        && run.stops == sample.stops
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
  }

  @Test(arguments: PassedSample.followed)
  func aCutStreamIsNotTakenForReadToItsEnd(sample: PassedSample) throws {
    let bytes = sample.stream.bytes
    let tail = bytes.count - (try #require(sample.reading)).tail
    for end in 0...tail {
      let run = EditorRun(Array(bytes[..<end]), readsOnly: true)
      #expect(run.truncation != nil && run.bypassReason == nil, "cut at \(end)")
    }
  }

  @Test(arguments: SampleStream.editable)
  func whatIsEditedIsReadInTheSameWay(sample: SampleStream) {
    let edited = EditorRun(sample.bytes)
    for cuts in [[], Array(1..<sample.bytes.count)] {
      let read = EditorRun(sample.bytes, readsOnly: true, cuts: cuts)
      #expect(read.counters == edited.counters && read.rounds == edited.rounds)
      #expect(read.sections == edited.sections && read.stops == edited.stops)
      #expect(read.bypassReason == nil && same(read.output, sample.bytes))
    }
  }

  /// They are in no later release's.
  @Test(arguments: [[false, false], [true, true], [false, true], [true, false]])
  func whatQEMU4SaysOfSharedBlocksIsPassedByAtEverySplit(shared: [Bool]) {
    let sample = SampleStream.ignoreShared(shared)
    let without = EditorRun(SampleStream.ignoreShared().bytes, readsOnly: true)
    var wrong: [Int] = []
    for cut in 0...sample.bytes.count {
      let run = EditorRun(sample.bytes, readsOnly: true, cuts: [cut])
      let isRight =
        run.bypassReason == nil && run.truncation == nil && run.blocks == without.blocks
        && run.counters.normalPages == without.counters.normalPages
        && run.counters.zeroPages == without.counters.zeroPages && same(run.output, sample.bytes)
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
  }

  @Test(
    arguments: [
      ([0x040], [2, 0, 1, 0], "an XBZRLE record"), ([0x040], [1, 4, 1, 0], "an XBZRLE record"),
      ([0x100], [0, 1, 0, 0], "a compressed page"),
    ] as [([UInt64], [UInt8], String)])
  func aRecordThatNobodyCanHaveWrittenIsMalformed(
    flags: [UInt64], body: [UInt8], what: String
  ) {
    var build = StreamBuilder("malformed")
    build.begin()
    build.startRAM([SampleStream.ram])
    build.endOfSection()
    build.reopen(2, id: 2)
    let offset = build.offset
    build.header(flags[0], block: 0, page: 1)
    build.put(body)
    for cuts in [[], Array(1..<build.offset)] {
      let run = EditorRun(build.sample.bytes, readsOnly: true, cuts: cuts)
      #expect(run.bypassReason == .malformed(what) && run.bypassOffset == UInt64(offset))
    }
  }

  /// An unknown length among attributes or entries would take the reader anywhere.
  @Test func attributesOfAnImpossibleLengthAreMalformed() {
    var build = StreamBuilder("malformed attributes")
    build.begin()
    build.open(1, id: 4, "s390-storage_attributes", version: 0)
    let offset = build.offset
    build.put([0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0, 0, 0, 0, 0, 0, 0])
    let run = EditorRun(build.sample.bytes, readsOnly: true)
    #expect(run.bypassReason == .malformed("the length of s390 storage attributes"))
    #expect(run.bypassOffset == UInt64(offset))
  }

  /// A FULL section after nothing of RAM is no snapshot's.
  @Test func deviceStatesBeforeAnyPageAreNoSnapshot() {
    var build = StreamBuilder("device states first")
    build.begin()
    build.startRAM([SampleStream.ram])
    build.endOfSection()
    build.tail()
    let run = EditorRun(build.sample.bytes, readsOnly: true)
    #expect(run.bypassReason == .earlyDeviceState("timer") && !run.isBackgroundSnapshot)
  }

  /// QEMU refuses the two together, so the END of RAM is missing.
  @Test func deviceStatesOfACOLOStreamBeforeTheEndOfRAMAreNoSnapshot() {
    var build = StreamBuilder("COLO without END")
    build.begin()
    build.command(8)
    build.startRAM([SampleStream.ram])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.zero(0, 0)
    build.endOfSection()
    build.tail()
    let run = EditorRun(build.sample.bytes, readsOnly: true)
    #expect(run.bypassReason == .earlyDeviceState("timer") && !run.isBackgroundSnapshot)
  }
}

/// The size of target pages where the configuration does not tell it.
@Suite struct PageSizeTests {
  private func sample(pageBits: Int) -> SampleStream {
    var build = StreamBuilder("pages of \(1 << pageBits) bytes", pageBits: pageBits)
    build.announcesPageSize = false
    build.begin()
    build.startRAM([.init("ram", pages: 9), .init("rom", pages: 3)])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.zero(0, 4)
    build.page(0, 5)
    build.zero(1, 1)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.page(1, 2)
    build.endOfSection()
    build.tail()
    return build.sample
  }

  @Test(arguments: [10, 12, 13, 14, 16])
  func theFirstWholePageTellsItAtEverySplit(pageBits: Int) {
    let sample = sample(pageBits: pageBits)
    let whole = EditorRun(sample.bytes, readsOnly: true)
    // Of longer pages every place near a border, and some others.
    let borders = sample.records.flatMap { [$0.offset, sample.range(of: $0).upperBound] }
    let cuts =
      pageBits < 14
      ? Array(0...sample.bytes.count)
      : borders.flatMap { $0 - 12...$0 + 12 }
        + stride(from: 0, through: sample.bytes.count, by: 509)
    var wrong: [Int] = []
    for cut in cuts {
      let run = EditorRun(sample.bytes, readsOnly: true, cuts: [cut])
      let isRight =
        run.targetPageSize == 1 << pageBits && run.counters == whole.counters
        && run.bypassReason == nil && run.counters.ramEnded && same(run.output, sample.bytes)
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
    #expect(whole.counters.normalPages == 2 && whole.counters.zeroPages == 2)
    #expect(whole.rounds.map(\.normal) == [2])
  }

  /// An offset with bits where 4096-byte pages have none, before any whole page.
  @Test func aZeroPageBetweenTwoPlacesTellsTheShortestSize() {
    var build = StreamBuilder("short pages", pageBits: 10)
    build.announcesPageSize = false
    build.begin()
    build.startRAM([.init("ram", pages: 12)])
    build.endOfSection()
    build.reopen(3, id: 2)
    build.zero(0, 7)
    build.endOfSection()
    build.tail()
    let run = EditorRun(build.sample.bytes, readsOnly: true)
    #expect(run.targetPageSize == 1024 && run.counters.zeroPages == 1 && run.counters.ramEnded)
  }

  @Test func anEditorTakesThemFor4096Bytes() {
    let run = EditorRun(sample(pageBits: 13).bytes)
    #expect(run.targetPageSize == 4096 && run.bypassReason != nil)
  }
}
