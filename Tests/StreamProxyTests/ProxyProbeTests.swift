import HookLink
import StreamSamples
import Testing

@testable import StreamProxy

/// Nothing is dropped in a segment of the guest's memory before one of its probe pages has passed
/// where the memory map says it is; and no migration fails for that.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProxyProbeTests {
  /// 4 GiB of the guest's memory are 3 GiB of pc.ram (see the fixture).
  private static let high = 0x100000
  private static let highInBlock = 0xc0000

  @Test func theGuestIsToldOfItsMemory() async throws {
    let scene = try Scene()
    _ = try await scene.play(SourceScript())
    let prepare = try #require(scene.guest.state.withLock { $0.prepare })
    #expect(!prepare.zeroHeldFrames)
    #expect(
      prepare.segments == [
        MemorySegment(start: 1 << 20, length: 3 << 30 - 1 << 20),
        MemorySegment(start: 4 << 30, length: 2 << 30),
      ])
  }

  @Test func pagesCrossUntilTheProbeHasPassed() async throws {
    var script = SourceScript()
    // It comes after the first round; END comes after it.
    script.probe = { _ in nil }
    script.between = { _, source, migration in
      var build = Scene.beginning()
      let start = build.offset
      build.reopen(2, id: 2)
      build.page(0, Scene.probePage, content: Scene.probe(of: migration))
      build.endOfSection()
      try source.write(Array(build.sample.bytes[start...]))
    }
    let (summary, _, _) = try await Scene().play(script)
    // Of the held pages only 513 comes once more, in END.
    #expect(summary.exitCode == 0 && summary.pagesDropped == 1)
    #expect(summary.uneditedReason == nil)
  }

  @Test func aProbeOfAnotherMigrationProvesNothing() async throws {
    try await dropsNothing { Scene.probe(of: MigrationID(high: $0.high ^ 1, low: $0.low)) }
  }

  @Test func aProbeThatSaysAnotherAddressProvesNothing() async throws {
    try await dropsNothing { Scene.probe(of: $0, at: Scene.probePage + 1) }
  }

  @Test func aProbeThatDoesNotComeProvesNothing() async throws {
    try await dropsNothing { _ in nil }
  }

  private func dropsNothing(_ probe: @escaping @Sendable (MigrationID) -> [UInt8]?) async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.probe = probe
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains("no probe page of the guest has passed") == true)
    #expect(received == result.marked)
  }

  @Test func aReportWithoutAProbeIsNotUsedAndSaysSo() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark(), Scene.held(), Scene.end(probes: [])] })
    let (summary, result, received) = try await scene.play(SourceScript())
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains("named no probe page") == true)
    #expect(received == result.marked)
  }

  @Test func aProbeInTheWrongSegmentProvesOnlyThatOne() async throws {
    let probe = ProxyProbeTests.high + 1
    let scene = try Scene(whenAsked: { _ in
      [Scene.mark(), Scene.held(), Scene.end(probes: [probe])]
    })
    let (summary, _, _) = try await scene.play(inHighMemory(probe: probe, 9...9))
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(
      summary.guest?.notes.contains { $0.contains("8 pages in the memory at 0x100000") } == true)
    #expect(scene.log.contains("8 pages in the memory at 0x100000 are not dropped"))
  }

  @Test func eachSegmentIsProvenByItsOwnProbe() async throws {
    let high = ProxyProbeTests.high
    for (probes, dropped) in [
      ([Scene.probePage, high + 1], 9 + 4), ([Scene.probePage], 9), ([high + 1], 4),
      // The first is none; the second comes in time.
      ([Scene.probePage, high + 2, high + 1], 9 + 4),
    ] {
      let scene = try Scene(whenAsked: { _ in
        [
          Scene.mark(), Scene.held(), Scene.held(high + 4..<high + 8, from: high),
          Scene.end(12, probes: probes),
        ]
      })
      let (summary, _, _) = try await scene.play(inHighMemory(probe: high + 1, 2...9))
      #expect(summary.exitCode == 0 && summary.pagesDropped == dropped, "\(probes)")
      #expect(summary.uneditedReason == nil)
      #expect((summary.guest?.notes.isEmpty == true) == (probes.count > 1))
    }
  }

  /// A probe page and some others above 4 GiB pass before END.
  private func inHighMemory(probe: Int, _ pages: ClosedRange<Int>) -> SourceScript {
    var script = SourceScript()
    script.between = { _, source, migration in
      var build = Scene.beginning()
      let start = build.offset
      build.reopen(2, id: 2)
      let block = ProxyProbeTests.highInBlock
      build.page(
        0, probe - ProxyProbeTests.high + block, content: Scene.probe(of: migration, at: probe))
      for page in pages { build.page(0, block + page) }
      build.endOfSection()
      try source.write(Array(build.sample.bytes[start...]))
    }
    return script
  }

  @Test func aProbeThatTheReportNamesAsHeldCrosses() async throws {
    let scene = try Scene(whenAsked: { _ in
      [Scene.mark(), Scene.held(512..<520), Scene.end(probes: [Scene.probePage, 515])]
    })
    let (summary, result, received) = try await scene.play(SourceScript())
    #expect(summary.exitCode == 0 && summary.pagesDropped == 8)
    let expected = result.sent.edited(mark: result.mark) { place, _ in
      Scene.held.contains(place.page) && place.page != 515
    }
    #expect(received == expected)
  }

  @Test(arguments: [255, 0xc0000, 0x200000, 1 << 51])
  func aProbeThatIsNoRAMRefusesTheReport(probe: Int) async throws {
    let scene = try Scene(whenAsked: { _ in
      [Scene.mark(), Scene.held(), Scene.end(probes: [Scene.probePage, probe])]
    })
    let (summary, result, received) = try await scene.play(SourceScript())
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains("probe pages are not used") == true)
    #expect(received == result.marked)
  }

  @Test func whatIsTakenBackBeforeTheProbePassesIsNeverDropped() async throws {
    for ranges in [nil, [PageRange(first: 512, count: 8)]] as [[PageRange]?] {
      let scene = try Scene()
      var script = SourceScript()
      script.probe = { _ in nil }
      script.between = { scene, source, migration in
        scene.guest.say(GuestMessage.Revoke(sequence: 7, ranges: ranges), in: migration)
        #expect(scene.guest.awaitAcknowledgement(7))
        var build = Scene.beginning()
        let start = build.offset
        build.reopen(2, id: 2)
        build.page(0, Scene.probePage, content: Scene.probe(of: migration))
        for page in Scene.held { build.page(0, page) }
        build.endOfSection()
        try source.write(Array(build.sample.bytes[start...]))
      }
      let (summary, _, _) = try await scene.play(script)
      #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    }
  }

  @Test func postcopyThatBeginsBeforeTheProbePassesGoesOnAndDropsNothing() async throws {
    try await postcopy(probeFirst: false, dropped: 0)
  }

  @Test func postcopyAfterTheProbeDropsBeforeAndAfterTheSwitchover() async throws {
    try await postcopy(probeFirst: true, dropped: 9)
  }

  /// The mark page's turn has not come either when post-copy begins.
  private func postcopy(probeFirst: Bool, dropped: Int) async throws {
    let scene = try Scene()
    scene.qmp.state.withLock { $0.capabilities["postcopy-ram"] = true }
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      scene.guest.say(
        GuestMessage.Heartbeat(sequence: 5, time: Scene.guestTime), in: migration)
      #expect(scene.guest.awaitAcknowledgement(5))
      var sent = build.offset
      let probe = Scene.probe(of: migration)
      build.reopen(2, id: 2)
      if probeFirst {
        build.page(0, Scene.probePage, content: probe)
        build.page(0, 512)
      } else {
        build.page(0, 530)
      }
      build.endOfSection()
      scene.qmp.raise("STOP")
      build.packaged([1, 2, 3])
      build.reopen(2, id: 2)
      build.page(0, Scene.probePage, content: probe)
      for page in Scene.held { build.page(0, page) }
      build.page(0, Scene.markPage, content: Scene.copy(of: migration))
      build.endOfSection()
      build.reopen(3, id: 2)
      build.endOfSection()
      build.put(0)
      try source.write(Array(build.sample.bytes[sent...]))
      sent = build.offset - dropped * 4095
      #expect(scene.destination?.awaitBytes(sent) == true)
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
    #expect(summary.pagesDropped == dropped && summary.markCopies == 1)
    #expect(summary.uneditedReason?.contains("no probe page") == (probeFirst ? nil : true))
  }
}
