import HookLink
import StreamSamples
import Testing

@testable import StreamProxy

/// Post-copy that loses its connections, and is recovered over others.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RecoveryTests {
  /// The command POSTCOPY_RESUME, by which a recovery's main channel is known.
  private static let resume: [UInt8] = [8, 0, 9, 0, 0]

  /// The source and the destination try again, and come to the end.
  private func recover(_ scene: Scene) throws {
    #expect(soon { scene.log.contains("post-copy is paused") })
    let source = try scene.connect()
    try source.write(RecoveryTests.resume)
    #expect(
      soon {
        scene.destination?.receivedElsewhere.withLock { $0.count } == RecoveryTests.resume.count
      })
    scene.qmp.migration(is: "completed")
    source.shutDownWriting()
    #expect(source.awaitEnd())
  }

  /// A post-copy behind TLS, where nobody sees the switchover, loses its destination.
  private func breakUnread(_ scene: Scene) throws {
    let source = try scene.connect()
    try source.write([22, 3, 1, 0, 0, 1, 2, 3])
    #expect(scene.destination?.awaitBytes(8) == true)
    scene.qmp.migration(is: "postcopy-active")
    scene.destination?.die()
    while (try? source.write([UInt8](repeating: 23, count: 4096))) != nil {}
    scene.qmp.migration(is: "postcopy-paused")
  }

  @Test func whereTheChannelIsNotReadADestinationThatBreaksOffIsWaitedForToo() async throws {
    let scene = try Scene(set: {
      $0.hook = nil
      $0.closingTime = .seconds(1)
    })
    let summary = try await scene.play { scene in
      try breakUnread(scene)
      try recover(scene)
    }
    #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
  }

  /// Or the source is gone, and nothing can be recovered.
  @Test(arguments: [true, false])
  func aRecoveryThatGoesPastTheProxyEndsIt(isComplete: Bool) async throws {
    let scene = try Scene(set: { $0.hook = nil })
    let summary = try await scene.play { scene in
      try breakUnread(scene)
      #expect(soon { scene.log.contains("post-copy is paused") })
      if isComplete { scene.qmp.migration(is: "completed") } else { scene.qmp.close() }
    }
    #expect(summary.exitCode == (isComplete ? ExitStatus.completed : ExitStatus.sourceEnded))
  }

  @Test func aRecoveryThatIsPassedOnDoesNotUndoWhatWasDroppedBefore() async throws {
    let scene = try Scene()
    scene.qmp.state.withLock { $0.capabilities["postcopy-ram"] = true }
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      let sent = build.offset
      build.reopen(2, id: 2)
      build.page(0, Scene.probePage, content: Scene.probe(of: migration))
      build.page(0, 512)
      build.endOfSection()
      scene.guest.say(
        GuestMessage.Heartbeat(sequence: 1, time: Scene.guestTime), in: migration)
      #expect(scene.guest.awaitAcknowledgement(1))
      scene.qmp.raise("STOP")
      build.packaged([UInt8](repeating: 5, count: 100))
      try source.write(Array(build.sample.bytes[sent...]))
      #expect(scene.destination?.awaitBytes(build.offset - 4095) == true)
      scene.qmp.migration(is: "postcopy-paused")
      source.shutDown()
      try recover(scene)
    }
    #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
    #expect(summary.pagesDropped == 1 && summary.uneditedReason == nil)
    #expect(scene.log.contains("the main channel of the recovery is passed on unedited"))
    #expect(!scene.log.contains("forwarding everything unedited"))
  }
}
