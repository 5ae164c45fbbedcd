import HookLink
import StreamSamples
import Testing
import Threads

@testable import StreamProxy

/// Streams that cannot be edited: the guest is asked to fill what it holds with zeroes, nothing that
/// may be a page passes before it has, and the stream passes as it is.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProxyZeroingTests {
  @Test func pagesWaitForTheGuestWhereTheStreamCannotBeEdited() async throws {
    let scene = try scene(with: "xbzrle")
    let (summary, result, received) = try await scene.play(script)
    try expectZeroed(summary, scene, because: "capability xbzrle is on")
    #expect(received == result.sent.bytes)
  }

  @Test func aStreamThatStopsBeingReadableLeavesTheGuestAlone() async throws {
    let scene = try scene(with: "xbzrle")
    var script = self.script
    // PART, and an XBZRLE record of page 5.
    script.anomaly = [0x02, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x50, 0x60, 1, 0, 2, 9, 9]
    let (summary, result, received) = try await scene.play(script)
    try expectZeroed(summary, scene, because: "capability xbzrle is on")
    #expect(received == result.sent.bytes)
  }

  @Test func compressedChannelsAreZeroedForToo() async throws {
    let scene = try scene(with: "multifd")
    scene.qmp.state.withLock {
      $0.otherParameters = #","multifd-compression":"zlib","multifd-channels":2"#
    }
    let (summary, result, received) = try await scene.play(script)
    try expectZeroed(summary, scene, because: "pages travel compressed")
    #expect(received == result.sent.bytes)
  }

  /// Destinations before 9.0 do not place a page that a channel only names, and those that could be
  /// switched to post-copy with channels would have a guest wait for it.
  @Test func anOldSourceWithChannelsThatMaySwitchToPostcopyIsNotEdited() async throws {
    let scene = try scene(with: "multifd")
    scene.qmp.state.withLock {
      $0.version = QEMUVersion(major: 7, minor: 2)
      $0.capabilities["postcopy-ram"] = true
      $0.otherParameters = #","multifd-channels":2"#
    }
    let (summary, result, received) = try await scene.play(script)
    try expectZeroed(
      summary, scene, because: "capabilities multifd and postcopy-ram are both on")
    #expect(received == result.sent.bytes)
  }

  @Test(arguments: ["x-colo", "background-snapshot", "mapped-ram"])
  func whereMemoryHasToStayAsItIsTheGuestIsNotAsked(capability: String) async throws {
    let scene = try scene(with: capability)
    scene.qmp.state.withLock { $0.capabilities["xbzrle"] = true }
    var script = SourceScript()
    script.awaitsPrepare = false
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0 && received == result.sent.bytes)
    #expect(scene.guest.awaitPrepare(for: .zero) == nil)
  }

  /// It concerns a migration by RDMA, and none of those comes through here.
  @Test func aSettingForRDMAIsNoObstacleToEditing() async throws {
    let scene = try scene(with: "rdma-pin-all", answers: Scene.report)
    let (summary, result, received) = try await scene.play(SourceScript())
    #expect(summary.exitCode == 0 && summary.uneditedReason == nil)
    #expect(received == result.edited())
  }

  @Test func aGuestThatDeclinesOrIsLateIsToldThatItStays() async throws {
    for answer in [[GuestMessage.Declined(reason: "busy")], []] as [[any Message]] {
      let scene = try Scene(
        whenAsked: { _ in [Scene.mark()] + answer }, set: { $0.prepareTimeout = .milliseconds(300) }
      )
      scene.qmp.state.withLock { $0.capabilities["xbzrle"] = true }
      var script = SourceScript()
      script.between = { scene, _, _ in #expect(scene.destination?.awaitBytes(8000) == true) }
      let (summary, result, received) = try await scene.play(script)
      #expect(summary.exitCode == 0 && received == result.sent.bytes)
      let reason = try #require(summary.uneditedReason)
      #expect(reason.contains("xbzrle") && reason.contains("guest"))
      #expect(scene.guest.state.withLock { $0.abort } != nil)
    }
  }

  @Test func aGuestThatReportsPagesInsteadIsNotUsed() async throws {
    let scene = try scene(with: "xbzrle", answers: Scene.report)
    let (summary, result, received) = try await scene.play(SourceScript())
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains("was asked to fill them with zeroes") == true)
    #expect(received == result.sent.bytes)
  }

  @Test func behindEncryptionALittlePassesAndTheRestWaitsForTheGuest() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark()] })
    let stream = ProxyZeroingTests.encryptedBytes
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      let writer = BlockingThread("source") { try? source.write(stream) }
      let migration = scene.guest.awaitPrepare()
      #expect(migration != nil && scene.guest.state.withLock { $0.prepare?.zeroHeldFrames } == true)
      // Not one byte more while the guest prepares.
      _ = soon(within: .milliseconds(300)) { false }
      #expect(
        scene.destination?.received.withLock { $0.count } == EncryptedPreparation.freeBytes)
      scene.guest.say(Scene.end(0, zeroed: 8, probes: []), in: migration ?? .none)
      #expect(scene.destination?.awaitBytes(stream.count) == true)
      writer.join(for: .seconds(5))
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    try expectZeroed(summary, scene, because: "encrypted (TLS)")
    #expect(scene.destination?.received.withLock { $0 } == stream)
  }

  @Test func anEncryptedMigrationOfAGuestThatDoesNotAnswerGoesOn() async throws {
    let scene = try Scene(whenAsked: { _ in [] }, set: { $0.answerTimeout = .milliseconds(300) })
    let stream = ProxyZeroingTests.encryptedBytes
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(stream)
      #expect(scene.destination?.awaitBytes(stream.count) == true)
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 0)
    let reason = try #require(summary.uneditedReason)
    #expect(reason.contains("did not answer within 0.3 s"))
    #expect(reason.contains("or another proxy has the hook socket"))
    #expect(scene.destination?.received.withLock { $0 } == stream)
  }

  @Test func anEncryptedChannelWithLittleToSayIsNeverHeldUp() async throws {
    let scene = try Scene()
    let stream = Array(ProxyZeroingTests.encryptedBytes[..<(EncryptedPreparation.freeBytes - 1)])
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(stream)
      #expect(scene.destination?.awaitBytes(stream.count) == true)
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 0 && summary.uneditedReason == EncryptedPreparation.reason)
    #expect(scene.guest.awaitPrepare(for: .zero) == nil)
  }

  @Test func aSourceThatGoesWhileAnEncryptedMigrationWaitsEndsIt() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark()] })
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(Array(ProxyZeroingTests.encryptedBytes.prefix(70_000)))
      #expect(scene.guest.awaitPrepare() != nil)
      scene.qmp.migration(is: "cancelled")
      source.shutDown()
    }
    #expect(summary.exitCode == ExitStatus.sourceEnded && summary.totalSeconds < 30)
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  // MARK: -

  /// A handshake record's beginning, and as good as ciphertext.
  private static let encryptedBytes: [UInt8] =
    [0x16, 3, 1] + (0..<150_000).map { UInt8(truncatingIfNeeded: $0 * 31 >> 3) }

  private func scene(
    with capability: String,
    answers: @escaping @Sendable (MigrationID) -> [any Message] = { _ in [Scene.mark()] }
  ) throws -> Scene {
    let scene = try Scene(whenAsked: answers)
    scene.qmp.state.withLock { $0.capabilities[capability] = true }
    return scene
  }

  /// The guest is ready only when pages have had time to pass, and have not.
  private var script: SourceScript {
    var script = SourceScript()
    script.between = { scene, _, migration in
      _ = soon(within: .milliseconds(300)) { false }
      let passed = scene.destination?.received.withLock { $0.count } ?? 0
      #expect(passed <= Scene.beginning().offset, "pages passed before the guest was ready")
      let request = scene.guest.state.withLock { $0.prepare }
      #expect(request?.zeroHeldFrames == true && request?.segments == [])
      scene.guest.say(Scene.end(0, zeroed: 8, probes: []), in: migration)
      #expect(scene.destination?.awaitBytes(8000) == true)
    }
    return script
  }

  private func expectZeroed(
    _ summary: MigrationSummary, _ scene: Scene, because text: String
  ) throws {
    #expect(summary.outcome == .completed && summary.pagesDropped == 0)
    let reason = try #require(summary.uneditedReason)
    #expect(reason.contains(text) && reason.contains("filled the 8 pages"), "\(reason)")
    #expect(summary.guest?.pagesZeroed == 8)
    // It learns of the end when the port closes, at the destination.
    #expect(scene.guest.state.withLock { $0.abort } == nil)
  }
}
