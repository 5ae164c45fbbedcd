import Glibc
import StreamSamples
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// Channels that end, stall or come otherwise than the usual migration's.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ChannelTroubleTests {
  /// Machine types up to 8.0 synchronise with every section, also before post-copy's switchover.
  @Test func postcopyWithMultifdIsNotHeldUpWhereEverySectionIsSynchronised() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark(), Scene.end(0)] })
    scene.qmp.state.withLock { state in
      state.capabilities["postcopy-ram"] = true
      state.capabilities["multifd"] = true
      state.otherParameters = #","multifd-channels":1"#
    }
    var main = Scene.beginning()
    main.reopen(2, id: 2)
    main.endOfSection()
    main.packaged([UInt8](repeating: 5, count: 100))
    var pages = MultifdStream(channel: 0)
    // One for START and one for PART.
    pages.sync()
    pages.pages("pc.ram", normal: [1, 2, 5])
    pages.sync()
    let (mainBytes, pageBytes) = (main.sample.bytes, pages.bytes)
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(mainBytes)
      let channel = try scene.connect()
      try channel.write(pageBytes)
      scene.qmp.raise("STOP")
      #expect(scene.destination?.awaitBytes(mainBytes.count) == true)
      scene.qmp.migration(is: "completed")
      channel.shutDown()
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
    #expect(scene.destination?.received.withLock { $0 } == mainBytes)
    #expect(scene.destination?.receivedElsewhere.withLock { $0 } == pageBytes)
  }

  @Test func aDestinationThatDiesOnAMultifdChannelBeforeTheEndOfRAMIsNamed() async throws {
    let scene = try Scene()
    scene.qmp.state.withLock { state in
      state.capabilities["multifd"] = true
      state.otherParameters = #","multifd-channels":1"#
    }
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      var build = Scene.beginning()
      try source.write(build.sample.bytes)
      let channel = try scene.connect()
      var pages = MultifdStream(channel: 0)
      pages.pages("pc.ram", normal: [1000, 1001])
      try channel.write(pages.bytes)
      let migration = scene.guest.awaitPrepare() ?? .none
      var sent = build.offset
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      try source.write(Array(build.sample.bytes[sent...]))
      let all = pages.bytes.count
      #expect(soon { scene.destination?.receivedElsewhere.withLock { $0.count } == all })
      scene.destination?.dieElsewhere()
      repeat {
        sent = pages.bytes.count
        pages.pages("pc.ram", normal: [1002])
      } while (try? channel.write(Array(pages.bytes[sent...]))) != nil
      scene.qmp.raise("STOP")
      sent = build.offset
      build.sceneEnd(mark: Scene.copy(of: migration))
      try? source.write(Array(build.sample.bytes[sent...]))
      #expect(source.awaitEnd())
      source.shutDown()
    }
    #expect(summary.pagesDropped > 0)
    #expect(summary.exitCode == ExitStatus.destinationEnded, "\(summary.reason ?? "")")
  }

  @Test(arguments: [true, false], [true, false])
  func aMigrationThatWasGivenUpEndsThoughTheDestinationHasStalled(
    encrypted: Bool, overTCP: Bool
  ) async throws {
    let addresses = try overTCP ? (freeTCPAddress(), freeTCPAddress()) : nil
    let scene = try Scene(set: {
      $0.hook = nil
      $0.closingTime = .seconds(1)
      if let addresses { ($0.listen, $0.connect) = addresses }
    })
    scene.destination?.pause.withLock { $0 = .seconds(60) }
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      if encrypted {
        try source.write([22, 3, 1, 0, 0])
      } else {
        try source.write(Scene.beginning(returnPath: false).sample.bytes)
        // PART, and an XBZRLE record: everything after it is passed on unread.
        try source.write([0x02, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x50, 0x60, 1, 0, 2, 9, 9])
      }
      // More than all buffers take.
      let writer = BlockingThread("source") {
        try? source.write([UInt8](repeating: 23, count: 8 << 20))
      }
      #expect(!writer.join(for: .milliseconds(500)))
      scene.qmp.migration(is: "cancelled")
      source.shutDown()
    }
    #expect(summary.exitCode == ExitStatus.sourceEnded)
    #expect(summary.totalSeconds < 30)
  }

  @Test func whatCannotBeReadIsDeliveredWholeThoughTheSourceHasClosed() async throws {
    let scene = try Scene(set: { $0.hook = nil })
    scene.destination?.pause.withLock { $0 = .milliseconds(30) }
    let bytes = [22, 3, 1, 0, 0] + [UInt8](repeating: 23, count: 4 << 20)
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(bytes)
      scene.qmp.migration(is: "completed")
      source.shutDown()
    }
    #expect(summary.exitCode == 0)
    #expect(scene.destination?.received.withLock { $0.count } == bytes.count)
  }

  @Test func whatWasSentAfterTheSwitchoverIsDeliveredWholeThoughTheSourceHasDied() async throws {
    let scene = try Scene(set: { $0.hook = nil })
    scene.qmp.state.withLock { $0.capabilities["postcopy-ram"] = true }
    scene.destination?.pause.withLock { $0 = .milliseconds(30) }
    var main = Scene.beginning()
    main.packaged([UInt8](repeating: 5, count: 100))
    main.reopen(2, id: 2)
    for page in 1000..<2000 { main.page(0, page) }
    main.endOfSection()
    let bytes = main.sample.bytes
    _ = try await scene.play { scene in
      let source = try scene.connect()
      scene.qmp.raise("STOP")
      scene.qmp.migration(is: "postcopy-active")
      try source.write(bytes)
      scene.qmp.close()
      source.shutDown()
    }
    #expect(scene.destination?.received.withLock { $0.count } == bytes.count)
  }

  @Test(arguments: ["cancelled", "failing", "failed"])
  func aProxyThatReadsNothingCanBeStoppedOnceTheMigrationIsGivenUp(status: String) async throws {
    let scene = try Scene(set: { $0.hook = nil })
    let proxy = try scene.makeProxy()
    async let running = proxy.run()
    let source = try scene.connect()
    try source.write([22, 3, 1, 0, 0, 1, 2, 3])
    #expect(await onThread { scene.destination?.awaitBytes(8) == true })
    scene.qmp.migration(is: status)
    #expect(await onThread { proxy.tryInterrupt() })
    #expect(await running.exitCode == ExitStatus.interrupted)
  }

  /// Without a return path a source is done as soon as its last byte is taken.
  @Test func aSlowChannelIsReadToItsEndAfterTheMainOnes() async throws {
    let scene = try Scene(set: {
      $0.hook = nil
      $0.closingTime = .seconds(2)
    })
    scene.qmp.state.withLock { state in
      state.capabilities["multifd"] = true
      state.otherParameters = #","multifd-channels":1"#
    }
    var pages = MultifdStream(channel: 0)
    for first in 0..<60 { pages.pages("pc.ram", normal: Array(first * 10..<first * 10 + 10)) }
    pages.sync()
    var main = Scene.beginning(returnPath: false)
    main.sceneEnd(mark: nil)
    let (mainBytes, pageBytes) = (main.sample.bytes, pages.bytes)
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(mainBytes)
      let channel = try scene.connect()
      try channel.write(Array(pageBytes[..<64]))
      #expect(soon { scene.destination?.receivedElsewhere.withLock { $0.count } == 64 })
      scene.destination?.pause.withLock { $0 = .milliseconds(150) }
      let writer = BlockingThread("pages") {
        try? channel.write(Array(pageBytes[64...]))
        channel.shutDownWriting()
      }
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      writer.join(for: .seconds(20))
    }
    #expect(summary.exitCode == 0)
    #expect(soon { scene.destination?.receivedElsewhere.withLock { $0.count } == pageBytes.count })
  }

  @Test func moreStrangersThanThereIsRoomForAreRefusedAndAMigrationGoesOn() async throws {
    let scene = try Scene(set: {
      $0.hook = nil
      $0.mostUndecided = 8
    })
    var main = Scene.beginning(returnPath: false)
    let begins = main.offset
    main.sceneEnd(mark: nil)
    let mainBytes = main.sample.bytes
    let summary = try await scene.play { scene in
      let early = try scene.connect()
      let source = try scene.connect()
      try source.write(Array(mainBytes[..<begins]))
      #expect(scene.destination?.awaitBytes(begins) == true)
      let strangers = try (0..<7).map { _ in try scene.connect() }
      let refused = try (0..<5).map { _ in try scene.connect() }
      for connection in refused { #expect(connection.awaitEnd()) }
      #expect(!early.peerHasClosed && !strangers.contains(where: \.peerHasClosed))
      // One that goes makes room.
      early.shutDown()
      #expect(soon { (try? scene.connect()).map { !$0.endsWithin(.milliseconds(50)) } == true })
      try source.write(Array(mainBytes[begins...]))
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
      for stranger in strangers { stranger.shutDown() }
    }
    #expect(summary.exitCode == 0)
    #expect(scene.log.count(of: "not shown yet what they are") == 1)
  }

  @Test func whatASourceHasLeftBehindTakesNobodysRoom() async throws {
    let scene = try Scene(set: {
      $0.hook = nil
      $0.mostUndecided = 4
    })
    var main = Scene.beginning(returnPath: false)
    main.sceneEnd(mark: nil)
    let mainBytes = main.sample.bytes
    let summary = try await scene.play { scene in
      // Migrations that are cancelled while they are set up: their main connections say nothing.
      for _ in 0..<4 {
        let leftover = try scene.connect()
        try leftover.write(MultifdStream(channel: 0).bytes)
        leftover.shutDown()
      }
      let refused = try scene.connect()
      #expect(refused.awaitEnd())
      #expect(soon { (try? scene.connect()).map { !$0.endsWithin(.milliseconds(50)) } == true })
      let source = try scene.connect()
      try source.write(mainBytes)
      #expect(scene.destination?.awaitBytes(mainBytes.count) == true)
      scene.qmp.migration(is: "completed")
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 0)
    #expect(scene.destination?.othersCount == 0)
  }

  @Test func whoSaysTooLittleToBeKnownIsNotLookedAtAllTheTime() throws {
    var pair: [Int32] = [0, 0]
    // Two descriptors are written into the array.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    let (stranger, socket) = (Socket(owning: pair[0]), Socket(owning: pair[1]))
    try stranger.write([0x51, 0x45])
    let switches = Mutex(0)
    let looking = BlockingThread("looking") {
      var usage = rusage()
      let kind = socket.peekKind()
      // RUSAGE_THREAD of getrusage(2): a thread that has looked has slept before.
      _ = unsafe getrusage(1, &usage)
      switches.withLock { $0 = kind == nil ? Int(usage.ru_nvcsw) : .max }
    }
    #expect(!looking.join(for: .seconds(1)))
    stranger.shutDown()
    #expect(looking.join(for: .seconds(5)))
    #expect(switches.withLock { $0 } < 50)
  }

  /// What was made before the main connection and has closed belongs to a migration that was cancelled
  /// while it was being set up.
  @Test func aLeftoverConnectionIsNotPassedToTheNextMigration() async throws {
    let scene = try Scene(set: { $0.hook = nil })
    scene.qmp.state.withLock { state in
      state.capabilities["multifd"] = true
      state.otherParameters = #","multifd-channels":1"#
    }
    let pageBytes = MultifdStream.modern().bytes
    let mainBytes = {
      var main = Scene.beginning(returnPath: false)
      main.sceneEnd(mark: nil)
      return main.sample.bytes
    }()
    let summary = try await scene.play { scene in
      let leftover = try scene.connect()
      try leftover.write(MultifdStream(channel: 0).bytes)
      leftover.shutDown()
      let source = try scene.connect()
      try source.write(mainBytes)
      let channel = try scene.connect()
      try channel.write(pageBytes)
      #expect(scene.destination?.awaitBytes(mainBytes.count) == true)
      scene.qmp.migration(is: "completed")
      channel.shutDownWriting()
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 0)
    #expect(scene.destination?.receivedElsewhere.withLock { $0 } == pageBytes)
  }
}

extension Socket {
  /// Whether the peer ends the connection within `time`.
  fileprivate func endsWithin(_ time: Duration) -> Bool {
    waitReadable(descriptor, or: nil, for: time) == .ready && peerHasClosed
  }
}
