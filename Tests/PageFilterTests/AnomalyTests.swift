import PageFilter
import StreamSamples
import Testing

/// In doubt, forward; after the first drop, in doubt, fail; after the point of no return, forward.
@Suite struct AnomalyTests {
  @Test(arguments: Anomaly.records + Anomaly.elements)
  func beforeTheFirstDropItIsForwardedAtEverySplit(anomaly: Anomaly) {
    for afterPages in [false, true] {
      let (sample, offset) = StreamBuilder.stream(with: anomaly, afterPages: afterPages)
      let dead = sample.deadPages([.init(0, 3)])
      var wrong: [Int] = []
      for cut in cuts(of: sample, around: offset) {
        let run = EditorRun(sample.bytes, cuts: [cut]) { $1.install(dead) }
        let isRight =
          run.failure == nil && run.bypassReason == anomaly.reason
          && run.bypassOffset == UInt64(offset) && same(run.output, sample.bytes)
          && run.counters.bytesOut == UInt64(sample.bytes.count)
          && run.stops.last == .init(.bypass, at: offset)
        if !isRight { wrong.append(cut) }
      }
      #expect(wrong.isEmpty, "afterPages: \(afterPages)")
      let run = EditorRun(sample.bytes)
      #expect(run.bypassReason == anomaly.reason)
      #expect(run.bypassOffset == UInt64(offset))
    }
  }

  @Test(arguments: Anomaly.records + Anomaly.elements)
  func afterTheFirstDropItFailsAtItsOffset(anomaly: Anomaly) {
    let (sample, offset) = StreamBuilder.stream(with: anomaly, afterPages: true)
    let dead = sample.deadPages([.init(0, 2)])
    var wrong: [Int] = []
    for cut in cuts(of: sample, around: offset) {
      let run = EditorRun(sample.bytes, cuts: [cut]) { $1.install(dead) }
      let isRight =
        run.failure?.offset == UInt64(offset) && run.failure?.reason == anomaly.reason
        && run.bypassReason == nil
      if !isRight { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    #expect(run.failure?.reason == anomaly.reason)
    #expect(run.failure?.description.contains("at byte \(offset) of the stream") == true)
  }

  @Test(arguments: PassedSample.all)
  func aKindThatIsNotEditedIsForwardedWithItsReasonAtEverySplit(sample: PassedSample) {
    let stream = sample.stream
    let dead = stream.deadPages()
    for cut in stride(from: 0, through: stream.bytes.count, by: 3) {
      let run = EditorRun(stream.bytes, cuts: [cut]) { $1.install(dead) }
      #expect(same(run.output, stream.bytes), "cut at \(cut)")
      #expect(
        run.bypassReason?.description.contains(sample.reason) == true, "\(run.bypassReason as Any)")
    }
  }

  @Test(arguments: Anomaly.elements.filter { $0.place == .betweenSections })
  func afterTheEndOfRAMItIsForwarded(anomaly: Anomaly) {
    var build = StreamBuilder("after the end")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 9)])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.page(0, 2)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.put(anomaly.bytes + StreamBuilder.rest)
    let sample = build.sample
    let dead = sample.deadPages()
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    #expect(run.failure == nil)
    #expect(run.counters.ramEnded)
    #expect(same(run.output, sample.edited { place, _ in place.page == 2 }))
  }

  @Test func pagesAfterTheEndOfRAMAreNeverDropped() {
    var build = StreamBuilder("RAM goes on")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 9)])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.page(0, 2)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    let end = build.offset
    build.reopen(2, id: 2)
    build.page(0, 1)
    build.page(0, 2)
    build.endOfSection()
    build.tail()
    let sample = build.sample
    let dead = sample.deadPages()
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    #expect(run.failure == nil)
    #expect(run.counters.droppedPages == 1)
    #expect(same(run.output, sample.edited { _, offset in offset < end }))
  }

  @Test func afterTheSwitchToPostCopyItIsForwarded() {
    var build = StreamBuilder("post-copy goes wrong")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 9)])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.page(0, 2)
    build.endOfSection()
    build.packaged([1, 2, 3])
    build.reopen(2, id: 2)
    build.put(integer: UInt64(0x080))
    build.put(StreamBuilder.rest)
    let sample = build.sample
    let dead = sample.deadPages()
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    #expect(run.failure == nil)
    #expect(same(run.output, sample.edited { place, _ in place.page == 2 }))
  }

  @Test func whatIsNoEditableStreamIsForwardedWithTheReason() {
    func build(_ body: (inout StreamBuilder) -> Void) -> [UInt8] {
      var build = StreamBuilder("other")
      body(&build)
      return build.sample.bytes + StreamBuilder.rest
    }
    let streams: [([UInt8], BypassReason)] = [
      (build { $0.put(Array("GET / HTTP/1.1\r\n".utf8)) }, .notAMigrationStream),
      (build { $0.magic(version: 2) }, .unsupportedVersion(2)),
      (build { $0.command(10, [6] + Array("pc.ram".utf8)) }, .postcopyRecovery),
      (
        build {
          $0.magic()
          $0.configuration()
          $0.subsection("configuration/x")
        }, .unknownConfiguration("configuration/x")
      ),
      (
        build {
          $0.magic()
          $0.configuration()
          $0.capabilities(["mapped-ram"])
        }, .mappedRAM
      ),
      (
        build {
          $0.magic()
          $0.configuration()
          $0.capabilities([String](repeating: "c", count: 257))
        }, .malformed("the list of capabilities")
      ),
      (
        build {
          $0.magic()
          $0.configuration(machine: String(repeating: "m", count: 1025))
        }, .malformed("the machine type's name")
      ),
    ]
    for (bytes, reason) in streams {
      for cuts in [Array(1..<bytes.count), []] {
        let run = EditorRun(bytes, cuts: cuts)
        #expect(run.bypassReason == reason)
        #expect(run.failure == nil)
        #expect(same(run.output, bytes))
      }
    }
  }

  /// Every place near the anomaly, and some further away.
  private func cuts(of sample: SampleStream, around offset: Int) -> [Int] {
    Array(offset - 30..<min(offset + 300, sample.bytes.count))
      + Array(stride(from: 1, to: offset - 30, by: 97))
  }
}
