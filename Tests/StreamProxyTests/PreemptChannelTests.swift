import Glibc
import StreamSamples
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// Post-copy's preempt channel, which never says what it is.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PreemptChannelTests {
  /// With machine types from 8.0 on QEMU makes it just before its guest stops.
  @Test(arguments: [false, true])
  func aStrangerThatCameBeforeItDoesNotTakeItsPlace(strangerLeaves: Bool) async throws {
    try await switchOver { scene, stranger in
      // The destination waits for it, so it is there before a byte has come.
      #expect(soon { scene.destination?.othersCount == 1 })
      if strangerLeaves { stranger.shutDown() }
    }
  }

  @Test(arguments: [[0, 0, 0, 0, 0, 0, 0, 8], [22, 3, 1, 0, 0]] as [[UInt8]])
  func aStrangerThatBeginsLikeAChannelOfPostCopyIsNotTakenForIt(bytes: [UInt8]) async throws {
    try await switchOver { _, stranger in
      try stranger.write(bytes)
      #expect(stranger.awaitEnd())
    }
  }

  /// The guest goes to post-copy, and what the preempt channel carries arrives.
  ///
  /// - Parameter meet: what a stranger does that connects before the channel.
  private func switchOver(
    _ meet: @escaping @Sendable (Scene, _ stranger: Socket) throws -> Void
  ) async throws {
    let scene = try PreemptChannelTests.scene()
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
      try meet(scene, stranger)
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

  /// QEMU takes its channel for made as soon as the proxy has it, and stops its guest.
  @Test(arguments: [true, false])
  func theGuestIsNotSwitchedOverBeforeTheDestinationHasItsPreemptChannel(
    isThereInTime: Bool
  ) async throws {
    let scene = try PreemptChannelTests.scene { $0.preemptTime = .seconds(isThereInTime ? 20 : 1) }
    var main = Scene.beginning()
    let begins = main.offset
    main.packaged([UInt8](repeating: 5, count: 4 << 20))
    let mainBytes = main.sample.bytes
    let heard = Mutex<[UInt8]>([])
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(Array(mainBytes[..<begins]))
      #expect(scene.destination?.awaitBytes(begins) == true)
      // Nobody can connect meanwhile. The paths are alive during the calls.
      let (door, elsewhere) = ("\(scene.folder)/dst", "\(scene.folder)/elsewhere")
      #expect(unsafe rename(door, elsewhere) == 0)
      let channel = try scene.connect()
      scene.qmp.raise("STOP")
      let opening = BlockingThread("destination") {
        guard isThereInTime else { return }
        usleep(1_000_000)
        #expect(scene.destination?.received.withLock { $0.count } == begins)
        #expect(unsafe rename(elsewhere, door) == 0)
      }
      try source.write(Array(mainBytes[begins...]))
      opening.join()
      scene.qmp.migration(is: isThereInTime ? "completed" : "failed")
      source.shutDownWriting()
      while let bytes = source.readSome(), !bytes.isEmpty { heard.withLock { $0 += bytes } }
      channel.shutDown()
    }
    #expect(summary.exitCode == (isThereInTime ? 0 : ExitStatus.failed), "\(summary.reason ?? "")")
    #expect(heard.withLock { $0 } == (isThereInTime ? [] : RefusedSwitchover.failure))
    let arrived = scene.destination?.received.withLock { $0 }
    #expect(arrived == (isThereInTime ? mainBytes : Array(mainBytes[..<begins])))
    #expect(scene.destination?.othersCount == (isThereInTime ? 1 : 0))
  }

  private static func scene(
    set change: (inout MigrationProxy.Options) -> Void = { _ in }
  ) throws -> Scene {
    let scene = try Scene(set: {
      $0.hook = nil
      change(&$0)
    })
    scene.qmp.state.withLock { state in
      state.capabilities["postcopy-ram"] = true
      state.capabilities["postcopy-preempt"] = true
    }
    return scene
  }
}
