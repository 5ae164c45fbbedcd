import StreamSamples
import Testing

@testable import StreamProxy

/// Post-copy's preempt channel, which never says what it is.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PreemptChannelTests {
  /// With machine types from 8.0 on QEMU makes it just before its guest stops.
  @Test(arguments: [false, true])
  func aStrangerThatCameBeforeItDoesNotTakeItsPlace(strangerLeaves: Bool) async throws {
    let scene = try Scene(set: { $0.hook = nil })
    scene.qmp.state.withLock { state in
      state.capabilities["postcopy-ram"] = true
      state.capabilities["postcopy-preempt"] = true
    }
    var main = Scene.beginning()
    let begins = main.offset
    main.packaged([UInt8](repeating: 5, count: 100))
    let mainBytes = main.sample.bytes
    let urgent = SampleStream.preempt().bytes
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(Array(mainBytes[..<begins]))
      #expect(scene.destination?.awaitBytes(begins) == true)
      let stranger = try scene.connect()
      // The destination waits for it, so it is there before a byte has come.
      #expect(soon { scene.destination?.othersCount == 1 })
      if strangerLeaves { stranger.shutDown() }
      let channel = try scene.connect()
      scene.qmp.raise("STOP")
      scene.qmp.migration(is: "postcopy-active")
      try source.write(Array(mainBytes[begins...]))
      #expect(scene.destination?.awaitBytes(mainBytes.count) == true)
      try channel.write(urgent)
      #expect(
        soon { scene.destination?.receivedElsewhere.withLock { $0.count } == urgent.count })
      channel.shutDown()
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
      stranger.shutDown()
    }
    #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
    #expect(scene.destination?.receivedElsewhere.withLock { $0 } == urgent)
    #expect(scene.destination?.othersCount == 1)
  }
}
