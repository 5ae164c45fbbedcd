import Checksum
import HookLink
import StreamSamples
import Synchronization
import Testing

@testable import StreamProxy

/// Whole migrations through the proxy that come to their end: edited, or unedited with the reason.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProxyForwardingTests {
  @Test(
    "COLO and snapshots do not bear a return path, so none is turned on",
    arguments: ["x-colo", "background-snapshot"])
  func settingsStayWhereTheyWouldBreakTheMigration(_ capability: String) async throws {
    let scene = try Scene()
    scene.qmp.state.withLock {
      $0.capabilities[capability] = true
      $0.capabilities["return-path"] = false
    }
    var script = SourceScript()
    script.awaitsPrepare = false
    script.returnPath = false
    // As a device's state before the end of RAM, which ends the parsing: the first reason stands.
    script.anomaly =
      [0x04, 0, 0, 0, 9, 5] + Array("timer".utf8) + [0, 0, 0, 0, 0, 0, 0, 1]
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.outcome == .completed && received == result.sent.bytes)
    #expect(scene.qmp.state.withLock { $0.settings }.isEmpty)
    #expect(summary.uneditedReason?.contains("capability \(capability) is on") == true)
  }

  @Test func heldPagesDoNotCrossAndTheMarkCarriesTheVerdict() async throws {
    let scene = try Scene()
    let (summary, result, received) = try await scene.play(SourceScript())
    #expect(summary.outcome == .completed && summary.exitCode == 0)
    #expect(received == result.edited())
    #expect(summary.pagesDropped == 9 && summary.markCopies == 2 && summary.uneditedReason == nil)
    #expect(summary.bytesIn == UInt64(result.sent.bytes.count))
    #expect(summary.bytesOut == UInt64(received.count))
    #expect(scene.qmp.state.withLock { $0.settings } == ["events=true", "events=false"])
    #expect(scene.guest.state.withLock { $0.abort } == nil)
  }

  @Test func pagesThatTheGuestTakesBackAreSent() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.between = { scene, _, migration in
      // The first round has crossed.
      #expect(scene.destination?.awaitBytes(16_000) == true)
      let taken = PageRange(first: 513, count: 1)
      scene.guest.say(GuestMessage.Revoke(sequence: 7, ranges: [taken]), in: migration)
      #expect(scene.guest.awaitAcknowledgement(7))
    }
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.outcome == .completed)
    // Page 513 was dropped in the first round and crosses in END.
    #expect(summary.pagesDropped == 8)
    let end = try #require(result.sent.records.last { $0.place.page == 513 })
    let content = result.sent.bytes[result.sent.range(of: end)].dropFirst(8)
    #expect(received.suffix(8000 + 4096 * 3).contains(content))
  }

  /// A source that does not end before its first round has crossed.
  private var patient: SourceScript {
    var script = SourceScript()
    script.between = { scene, _, _ in #expect(scene.destination?.awaitBytes(8000) == true) }
    return script
  }

  @Test func aGuestThatSaysNothingInTimeIsNotWaitedFor() async throws {
    let scene = try Scene(whenAsked: { _ in [] }, set: { $0.prepareTimeout = .milliseconds(300) })
    let (summary, result, received) = try await scene.play(patient)
    #expect(summary.exitCode == 0)
    #expect(received == result.sent.bytes)
    #expect(summary.uneditedReason?.contains("did not report within 0.3 s") == true)
    #expect(scene.log.contains("forwarding everything unedited"))
  }

  @Test func aReportThatIsLateStillLeavesTheVerdictInTheMark() async throws {
    let scene = try Scene(
      whenAsked: { _ in [Scene.mark(), Scene.held()] },
      set: { $0.prepareTimeout = .milliseconds(300) })
    let (summary, result, received) = try await scene.play(patient)
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0 && summary.markCopies == 2)
    #expect(received == result.marked)
  }

  @Test func withoutAReturnPathNothingIsEdited() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.returnPath = false
    script.awaitsPrepare = false
    try await passes(scene, script, because: "opened no return path")
    #expect(scene.guest.awaitPrepare(for: .zero) == nil)
  }

  @Test func aBlockThatQMPDoesNotKnowForbidsEditing() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.awaitsPrepare = false
    script.block = "mystery"
    try await passes(scene, script, because: "the RAM block mystery")
  }

  @Test func aStreamWithOtherPagesThanTheReportsIsNotEdited() async throws {
    let scene = try Scene()
    let kept = Mutex<[UInt8]>([])
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      var build = StreamBuilder("16 KiB pages", pageBits: 14)
      build.begin()
      build.startRAM([.init("pc.ram", pages: 5 << 16)])
      build.endOfSection()
      build.reopen(2, id: 2)
      build.page(0, 128)
      build.endOfSection()
      build.reopen(3, id: 2)
      build.endOfSection()
      build.tail()
      try source.write(build.sample.bytes)
      #expect(scene.destination?.awaitBytes(build.offset) == true)
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      _ = source.awaitEnd()
      kept.withLock { $0 = build.sample.bytes }
    }
    #expect(summary.exitCode == 0)
    #expect(summary.uneditedReason?.contains("pages have 16384 bytes") == true)
    #expect(scene.destination?.received.withLock { $0 } == kept.withLock { $0 })
  }

  @Test(arguments: [
    (Scene.held(255..<258, from: 0), "below 1 MiB"),
    (Scene.held(0xc0000..<0xc0001, from: 0xc0000), "0xc0000000"),
    (Scene.held(0x200000..<0x200001, from: 0x200000), "0x200000000"),
  ])
  func aReportWithPagesThatAreNoGuestRAMIsNotUsed(piece: HeldPages, text: String) async throws {
    let scene = try Scene(whenAsked: { _ in
      [Scene.mark(), Scene.held(), piece, Scene.end(8 + piece.count)]
    })
    try await passes(scene, SourceScript(), because: text, marked: true)
  }

  private static let contradictions: [(messages: [any Message], text: String)] = [
    ([Scene.mark(), Scene.held(), Scene.end(), Scene.end()], "a second report"),
    ([Scene.mark(), Scene.held(), Scene.end(), Scene.held()], "after its report was complete"),
    ([Scene.mark(), Scene.held(), Scene.end(9)], "says 9 pages and names 8"),
    ([Scene.mark(), GuestMessage.Declined(reason: "no database")], "no database"),
  ]

  @Test(arguments: 0..<contradictions.count)
  func aReportThatContradictsItselfIsNotUsed(index: Int) async throws {
    let (messages, text) = ProxyForwardingTests.contradictions[index]
    let scene = try Scene(whenAsked: { _ in messages })
    try await passes(scene, SourceScript(), because: text, marked: true)
  }

  @Test func aHookLinkThatHangsUpBeforeTheReportIsNotWaitedFor() async throws {
    let scene = try Scene(whenAsked: { _ in [] })
    var script = patient
    script.between = { scene, _, _ in
      scene.guest.hangUp()
      #expect(scene.destination?.awaitBytes(8000) == true)
    }
    try await passes(scene, script, because: "hook port was closed")
  }

  @Test func aGuardianThatHasTakenTheAskedOnesPlaceIsNotWaitedFor() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark()] })
    var script = patient
    script.between = { scene, _, _ in
      scene.guest.say(GuestMessage.Declined(reason: "just started"), in: .none)
      #expect(scene.destination?.awaitBytes(8000) == true)
    }
    try await passes(
      scene, script, because: "ended in the guest while it was preparing", marked: true)
  }

  @Test func aGuestOfAnotherVersionIsNotWaitedFor() async throws {
    let scene = try Scene(whenAsked: { _ in [] })
    var script = patient
    script.between = { scene, _, migration in
      var frame = Scene.mark().frame(for: migration)
      frame[8] = 9
      let checksum = CRC32C.checksum(of: frame[8..<frame.count - 4])
      for index in 0..<4 { frame[frame.count - 4 + index] = UInt8(checksum >> (index * 8) & 0xff) }
      scene.guest.say(bytes: frame)
      #expect(scene.destination?.awaitBytes(8000) == true)
    }
    try await passes(scene, script, because: "the peer speaks version 9")
  }

  @Test func aGuestThatSpeaksNonsenseIsNotWaitedFor() async throws {
    let scene = try Scene(whenAsked: { _ in [] })
    var script = patient
    script.between = { scene, _, _ in
      scene.guest.say(bytes: [UInt8](repeating: 0x20, count: FrameDecoder.maximumSkipped + 1))
      #expect(scene.destination?.awaitBytes(8000) == true)
    }
    try await passes(scene, script, because: "without one frame of the hook protocol")
  }

  @Test func aReportBeforeTheMarkIsNotUsed() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.held(), Scene.end()] })
    try await passes(scene, SourceScript(), because: "before it said where its mark page is")
  }

  @Test func somethingUnknownBeforeTheFirstDropIsForwarded() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark(), Scene.end(0)] })
    var script = SourceScript()
    script.anomaly = [0x01, 0, 0, 0, 9, 3] + Array("new".utf8) + [0, 0, 0, 0, 0, 0, 0, 1]
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains("section 'new' is not known") == true)
    #expect(received.count == result.sent.bytes.count)
  }

  @Test func messagesOfAnotherMigrationAreIgnored() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.between = { scene, _, _ in
      let other = MigrationID(high: 1, low: 1)
      scene.guest.say(GuestMessage.Revoke(sequence: 1, ranges: nil), in: other)
      scene.guest.say(Scene.end(), in: other)
    }
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    #expect(received == result.edited())
  }

  @Test func aHookLinkThatHangsUpAfterTheReportIsNoOffence() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.between = { scene, _, _ in scene.guest.hangUp() }
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    #expect(received == result.edited())
  }

  @Test func aSecondConnectionIsRefusedAndTheMigrationGoesOn() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.between = { scene, _, _ in
      let other = try scene.connect()
      try other.write(Scene.beginning().sample.bytes)
      #expect(other.awaitEnd())
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    #expect(scene.log.contains("refused a connection: the migration has its main channel already"))
  }

  @Test func aConnectionThatSaysNothingIsEndedWithTheMigration() async throws {
    let scene = try Scene()
    let silent = Mutex<Socket?>(nil)
    var script = SourceScript()
    script.between = { scene, _, _ in
      let other = try scene.connect()
      silent.withLock { $0 = other }
    }
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0 && received == result.edited())
    let other = silent.withLock { $0 }
    #expect(await onThread { other?.awaitEnd() } == true)
  }

  @Test func aStrangerIsRefusedBeforeAndBesideTheMigration() async throws {
    let scene = try Scene()
    let result = Mutex<SourceScript.Result?>(nil)
    let summary = try await scene.play { scene in
      let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)
      let early = try scene.connect()
      try early.write(request)
      #expect(early.awaitEnd())
      #expect(
        soon {
          scene.log.contains("refused a connection: it begins with bytes that begin no channel")
        })
      var script = SourceScript()
      script.between = { scene, _, _ in
        let late = try scene.connect()
        try late.write(request)
        #expect(late.awaitEnd())
      }
      let played = try script.run(in: scene)
      result.withLock { $0 = played }
    }
    // The destination takes one connection only, so it is the source's.
    #expect(summary.exitCode == 0)
    #expect(scene.destination?.received.withLock { $0 } == result.withLock { $0?.edited() })
  }

  @Test func anInterruptOfAnEncryptedMigrationIsObeyedWhileTheGuestRuns() async throws {
    let summary = try await encrypted { _, proxy in await onThread { proxy.interrupt() } }
    #expect(summary.exitCode == ExitStatus.interrupted)
  }

  @Test func anInterruptOfAnEncryptedMigrationIsLateOnceTheGuestHasStopped() async throws {
    let summary = try await encrypted { scene, proxy in
      scene.qmp.raise("STOP")
      await onThread { proxy.interrupt() }
      #expect(scene.log.contains("the stream is not read"))
    }
    #expect(summary.exitCode == 0)
    #expect(summary.uneditedReason?.contains("TLS") == true)
  }

  @Test func theReturnPathIsRelayedAsItIs() async throws {
    let scene = try Scene()
    let words: [UInt8] = [0, 2, 0, 4, 0, 0, 0, 1]
    var script = SourceScript()
    script.between = { scene, source, _ in
      try scene.destination?.say(words)
      #expect(source.readSome() == words)
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
  }

  /// A migration behind TLS, as far as anybody without its keys can tell.
  private func encrypted(
    _ during: (Scene, MigrationProxy) async throws -> Void
  ) async throws -> MigrationSummary {
    let scene = try Scene()
    let proxy = try scene.makeProxy()
    async let running = proxy.run()
    let source = try scene.connect()
    let record: [UInt8] = [0x16, 3, 1, 0, 4, 1, 2, 3, 4]
    try source.write(record)
    #expect(await onThread { scene.destination?.awaitBytes(record.count) } == true)
    try await during(scene, proxy)
    scene.qmp.migration(is: "completed")
    source.shutDownWriting()
    #expect(await onThread { source.awaitEnd() })
    return await running
  }

  /// The migration completes, and all of it crossed as it was but for the verdict.
  private func passes(
    _ scene: Scene, _ script: SourceScript, because text: String, marked: Bool = false
  ) async throws {
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    #expect(summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains(text) == true, "\(summary.uneditedReason ?? "none")")
    #expect(received == (marked ? result.marked : result.sent.bytes))
    #expect(scene.log.contains("forwarding everything unedited"))
  }
}
