import PageFilter
import StreamSamples
import Testing

/// What an operator is told about a stream.
@Suite struct AccountTests {
  @Test(arguments: SampleStream.editable)
  func pagesAreCountedByKindAndRound(sample: SampleStream) {
    let dead = sample.deadPages()
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    let isDead = { SampleStream.deadPages.contains($0) }
    let normal = sample.records.filter { !$0.isZero }
    #expect(run.counters.normalPages == normal.count)
    #expect(run.counters.zeroPages == sample.records.count - normal.count)
    #expect(run.counters.droppedPages == normal.count { isDead($0.place) })
    #expect(run.counters.deadPagesMet == sample.records.count { isDead($0.place) })
    #expect(run.counters.ramEnded)
    var rounds: [RoundCounters] = []
    var last = SampleStream.Place(-1, -1)
    for record in sample.records {
      let place = record.place
      if rounds.isEmpty || (place.block, place.page) < (last.block, last.page) {
        rounds.append(RoundCounters())
      }
      last = place
      if record.isZero { rounds[rounds.count - 1].zero += 1 }
      if !record.isZero { rounds[rounds.count - 1].normal += 1 }
      if !record.isZero && isDead(place) { rounds[rounds.count - 1].dropped += 1 }
    }
    #expect(run.rounds == rounds)
    #expect(run.counters.rounds == rounds.count)
    #expect(run.blocks.map(\.name) == sample.blocks.map(\.name))
    #expect(run.blocks.map(\.hostPageSize) == sample.blocks.map(\.hostPageSize))
    #expect(run.blocks.map(\.regionAddress) == sample.blocks.map(\.regionAddress))
    #expect(
      run.blocks.map(\.usedLength) == sample.blocks.map { UInt64($0.pages * sample.pageSize) })
  }

  @Test(arguments: SampleStream.editable)
  func everyByteBelongsToSomething(sample: SampleStream) {
    let run = EditorRun(sample.bytes)
    let parts = run.sections.reduce(0) { $0 + $1.bytes }
    #expect(
      run.counters.preambleBytes + run.counters.commandBytes + parts + run.counters.rawBytes
        == UInt64(sample.bytes.count))
    #expect((run.counters.footers > 0) == !sample.name.contains("without footers"))
  }

  @Test func sectionsCommandsAndTheMachineAreKnown() {
    let run = EditorRun(SampleStream.disks().bytes)
    #expect(run.machine == "pc-q35-10.0")
    #expect(run.sections.map(\.name) == ["block", "ram", "dirty-bitmap"])
    #expect(run.sections.map(\.id) == [1, 2, 3])
    #expect(run.sections.map(\.parts) == [1, 1, 0])
    #expect(run.sections.map(\.ends) == [1, 1, 1])
    #expect(run.commands == [1: 1, 2: 1])
    #expect(run.counters.returnPathOpened)
    let postcopy = EditorRun(SampleStream.editable.first { $0.name == "post-copy" }!.bytes)
    #expect(postcopy.commands == [1: 1, 2: 3, 3: 1, 6: 2, 7: 1, 11: 1])
    #expect(postcopy.counters.postcopyAdvised && postcopy.counters.switchoverStarted)
  }

  /// A stream that is cut anywhere gives a beginning of what the whole one gives, in which no record
  /// is cut, and says so.
  @Test(arguments: SampleStream.editable)
  func aCutStreamGivesABeginningOfTheWhole(sample: SampleStream) {
    let dead = sample.deadPages()
    let whole = sample.edited { place, _ in SampleStream.deadPages.contains(place) }
    let ramEnd = sample.stops.first { $0.kind == .endOfRAM }!.offset + 8
    var wrong: [Int] = []
    for end in stride(from: 0, to: sample.bytes.count, by: 7) {
      let run = EditorRun(Array(sample.bytes[..<end])) { $1.install(dead) }
      let isRight =
        run.failure == nil && run.bypassReason == nil && whole.starts(with: run.output)
        && (run.truncation != nil || end > ramEnd)
        && !sample.records.contains { sample.range(of: $0).dropFirst().contains(run.consumed) }
      if !isRight { wrong.append(end) }
    }
    #expect(wrong.isEmpty)
  }
}
