import Glibc
import HookLink
import StreamSamples
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// Migrations that must not come to their end, each with the exit code that says why. Nothing may
/// hang, and the guest at the source is told that it stays.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProxyFailureTests {
  @Test func aWithdrawnMarkFailsAtThePointOfNoReturn() async throws {
    var script = SourceScript()
    script.lastMark = { Scene.copy(of: $0, state: .withdrawn) }
    try await fails(try Scene(), script, because: "another kernel was loaded or started")
  }

  @Test func aReleasedMarkFailsAtThePointOfNoReturn() async throws {
    var script = SourceScript()
    script.lastMark = { Scene.copy(of: $0, state: .released) }
    try await fails(try Scene(), script, because: "has released frames")
  }

  @Test func aReleaseThatTheLastCopyTakesBackIsStillJudgedByTheLastCopy() async throws {
    var script = SourceScript()
    script.firstMark = { Scene.copy(of: $0, state: .released) }
    let (summary, _, _) = try await Scene().play(script)
    #expect(summary.exitCode == 0)
  }

  @Test func aMarkThatNeverPassedFails() async throws {
    var script = SourceScript()
    script.firstMark = { _ in nil }
    script.lastMark = { _ in nil }
    try await fails(try Scene(), script, because: "no copy of the guest's mark page has passed")
  }

  @Test func aForeignPageAtTheMarksPlaceFails() async throws {
    var script = SourceScript()
    script.lastMark = { _ in [UInt8](repeating: 7, count: 4096) }
    try await fails(try Scene(), script, because: "is not the mark page any more")
  }

  @Test func anotherMigrationsMarkFails() async throws {
    var script = SourceScript()
    script.lastMark = { Scene.copy(of: MigrationID(high: $0.high, low: $0.low ^ 1)) }
    try await fails(try Scene(), script, because: "is not the mark page any more")
  }

  @Test func aMarkThatNobodyHasAdvancedFails() async throws {
    var script = SourceScript()
    script.lastMark = { Scene.copy(of: $0, age: 11_000_000_000) }
    try await fails(try Scene(), script, because: "more than the bound of 10.0 s")
  }

  @Test func aMarkThatIsOldWithinTheBoundPasses() async throws {
    var script = SourceScript()
    script.lastMark = { Scene.copy(of: $0, age: 5_000_000_000) }
    let (summary, _, _) = try await Scene().play(script)
    #expect(summary.exitCode == 0)
  }

  @Test func aResetBeforeTheStopFails() async throws {
    var script = SourceScript()
    script.between = { scene, _, _ in scene.qmp.raise("RESET", data: #"{"guest":true}"#) }
    try await fails(try Scene(), script, because: "the guest was reset")
  }

  @Test func aGuestThatIsNotStoppedFails() async throws {
    var script = SourceScript()
    script.stopsGuest = false
    let scene = try Scene(set: { $0.stopTimeout = .milliseconds(300) })
    try await fails(scene, script, because: "QMP reported no STOP of the guest")
  }

  @Test func aGuestThatGoesOnAfterItsStopFails() async throws {
    var script = SourceScript()
    script.stopsGuest = false
    script.between = { scene, _, _ in
      scene.qmp.raise("STOP")
      scene.qmp.raise("RESUME")
    }
    let scene = try Scene(set: { $0.stopTimeout = .milliseconds(300) })
    try await fails(scene, script, because: "QMP reported no STOP of the guest")
  }

  @Test func aQMPConnectionThatIsLostFailsWherePagesWereDropped() async throws {
    var script = SourceScript()
    script.between = { scene, _, _ in
      #expect(scene.destination?.awaitBytes(8000) == true)
      scene.qmp.close()
    }
    try await fails(try Scene(), script, because: "the QMP connection ended", restores: false)
  }

  @Test func aSecondReportAfterPagesWereDroppedFails() async throws {
    var script = SourceScript()
    script.between = { scene, _, migration in
      _ = scene.destination?.awaitBytes(8000)
      scene.guest.say(Scene.end(), in: migration)
    }
    try await fails(try Scene(), script, because: "the guest broke its word", atEnd: false)
  }

  @Test(arguments: [
    ([0x55] as [UInt8], "element type 0x55"),
    ([0x00], "before the end of RAM"),
    (
      [0x02, 0, 0, 0, 2, 0, 0, 5, 0, 0, 0, 0, 0x28] + [UInt8](repeating: 0, count: 4096),
      "lies beyond RAM block 'pc.ram'"
    ),
  ])
  func somethingUnknownAfterTheFirstDropFails(anomaly: [UInt8], text: String) async throws {
    var script = SourceScript()
    script.anomaly = anomaly
    try await fails(try Scene(), script, because: text, atEnd: false)
  }

  /// Over TCP the end of its connection may stand behind bytes that nobody reads while the judge waits; its events do
  /// not.
  @Test(arguments: [true, false])
  func aSourceThatSaysThatItHasGivenUpIsNotLetPass(drops: Bool) async throws {
    var script = SourceScript()
    if !drops { script.probe = { _ in nil } }
    script.stopsGuest = false
    script.between = { scene, _, _ in
      scene.qmp.raise("STOP")
      scene.qmp.migration(is: "cancelling")
    }
    script.finalStatus = "cancelled"
    let (summary, result, received) = try await Scene().play(script)
    let whole = drops ? result.edited() : result.marked
    #expect(received == result.untilEndOfRAM(whole))
    #expect(summary.exitCode == ExitStatus.sourceEnded, "\(summary.reason ?? "")")
  }

  @Test func aStreamCutAfterTheFirstDropFails() async throws {
    let summary = try await cut(try Scene())
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains("after pages had been dropped") == true)
  }

  /// It is noticed while the proxy waits for the destination to take more.
  @Test func aSourceThatDiesWhileTheDestinationStallsHasDroppedPagesToo() async throws {
    let scene = try Scene(set: { $0.closingTime = .seconds(1) })
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      var sent = build.offset
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      try source.write(Array(build.sample.bytes[sent...]))
      #expect(scene.destination?.awaitBytes(8000) == true)
      scene.destination?.pause.withLock { $0 = .seconds(60) }
      sent = build.offset
      build.reopen(2, id: 2)
      for page in 1000..<3000 { build.page(0, page) }
      let bytes = Array(build.sample.bytes[sent...])
      let writer = BlockingThread("source") { try? source.write(bytes) }
      #expect(!writer.join(for: .milliseconds(500)))
      source.shutDown()
    }
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains("after pages had been dropped") == true)
  }

  @Test func aStreamCutBeforeTheFirstDropIsTheSourcesEnd() async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark(), Scene.end(0)] })
    let summary = try await cut(scene)
    #expect(summary.exitCode == ExitStatus.sourceEnded)
    #expect(summary.reason?.contains("ended inside a RAM section") == true)
  }

  /// The status before may stand for a while, where devices take their time.
  @Test(arguments: ["cancelled", "cancelling"])
  func aSourceThatCancelsIsNoFailureOfTheProxy(status: String) async throws {
    let scene = try Scene()
    let summary = try await cut(scene, status: status)
    #expect(summary.exitCode == ExitStatus.sourceEnded)
    #expect(summary.reason?.contains("cancelled at the source") == true)
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  /// QEMU 11 says `failing` first, and for as long as it takes.
  @Test(arguments: ["failed", "failing"])
  func aSourceThatSaysItFailsIsTheSourcesEnd(status: String) async throws {
    let summary = try await cut(try Scene(), status: status)
    #expect(summary.exitCode == ExitStatus.sourceEnded, "\(summary.reason ?? "")")
  }

  /// Over TCP its end stands behind what it has written and nobody reads.
  @Test(arguments: [true, false])
  func aSourceThatCancelsWhileTheGuestPreparesIsNotHeldUp(isSeenToClose: Bool) async throws {
    let scene = try Scene(whenAsked: { _ in [Scene.mark()] })
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      var build = Scene.beginning()
      build.scenePages(mark: nil, probe: nil)
      try source.write(build.sample.bytes)
      _ = scene.guest.awaitPrepare()
      scene.qmp.migration(is: "cancelled")
      if !isSeenToClose {
        let said = "the migration ended while the guest was preparing"
        #expect(soon { scene.log.contains(said) })
      }
      source.shutDown()
    }
    #expect(summary.exitCode == ExitStatus.sourceEnded)
    #expect(summary.totalSeconds < 30)
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  /// It says RESUME a moment later, and its guest may write again before it does.
  @Test func aSourceThatGivesUpWhileItsStopIsAwaitedKeepsItsGuest() async throws {
    let scene = try Scene()
    let expected = Mutex<[UInt8]>([])
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      let sent = build.offset
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      build.sceneEnd(mark: Scene.copy(of: migration))
      try source.write(Array(build.sample.bytes[sent...]))
      source.shutDown()
      let result = SourceScript.Result(sent: build.sample, migration: migration, sawEnd: true)
      expected.withLock { $0 = result.untilEndOfRAM(result.edited()) }
      // The proxy has come to the end of RAM.
      usleep(300_000)
      scene.qmp.raise("STOP")
      scene.qmp.migration(is: "cancelled")
    }
    #expect(summary.outcome != .completed)
    // Neither the EOS of END has crossed nor what follows.
    let received = scene.destination?.received.withLock { $0 } ?? []
    #expect(received == expected.withLock { $0 })
    #expect(summary.pagesDropped > 0)
  }

  @Test func aDestinationThatRefusesIsPassedOn() async throws {
    let scene = try Scene(destinationListens: false)
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try? source.write(Scene.beginning().sample.bytes)
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == ExitStatus.destinationEnded)
    #expect(summary.reason?.contains("/dst: No such file or directory") == true)
  }

  @Test func aDestinationThatDiesIsPassedOn() async throws {
    let scene = try Scene()
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      try source.write(Array(build.sample.bytes))
      scene.destination?.die()
      // QEMU learns it from its return path and ends the migration.
      #expect(source.awaitEnd())
      scene.qmp.migration(is: "failed")
      source.shutDown()
    }
    #expect([ExitStatus.destinationEnded, ExitStatus.sourceEnded].contains(summary.exitCode))
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  @Test("A source that answers QMP only when its write has failed is not waited for")
  func aSourceThatIsBusyWritingIsNotAsked() async throws {
    let scene = try Scene()
    let began = ContinuousClock.now
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      let failed = WakeUp()
      scene.qmp.state.withLock { $0.obstacle = failed }
      scene.destination?.die()
      // QEMU holds its big lock while it writes the last part.
      var sent: Int
      repeat {
        sent = build.offset
        build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      } while (try? source.write(Array(build.sample.bytes[sent...]))) != nil
      scene.qmp.migration(is: "failed")
      failed.raise()
      source.shutDown()
    }
    #expect(summary.exitCode == ExitStatus.destinationEnded)
    #expect(began.duration(to: .now) < .seconds(8), "QMP was waited for")
  }

  @Test func anInterruptBeforeAByteHasComeEndsTheProxy() async throws {
    let scene = try Scene()
    let proxy = try scene.makeProxy()
    async let running = proxy.run()
    // Somebody connects and says nothing, as libvirt does.
    let silent = try scene.connect()
    #expect(await onThread { soon { silent.peerHasClosed || scene.log.contains("waiting for") } })
    proxy.interrupt()
    let summary = await running
    #expect(summary.exitCode == ExitStatus.interrupted)
  }

  @Test func anInterruptInTheMiddleClosesBothLegs() async throws {
    let scene = try Scene()
    let proxy = try scene.makeProxy()
    async let running = proxy.run()
    let source = try scene.connect()
    try source.write(Scene.beginning().sample.bytes)
    let asked = await onThread { scene.guest.awaitPrepare() }
    #expect(asked != nil)
    proxy.interrupt()
    let summary = await running
    #expect(summary.exitCode == ExitStatus.interrupted)
    #expect(await onThread { source.awaitEnd() })
    #expect(scene.guest.state.withLock { $0.abort }?.contains("operator") == true)
  }

  // MARK: -

  /// The proxy closes both legs with exit code 3, before RAM is closed, and tells the guest.
  private func fails(
    _ scene: Scene, _ script: SourceScript, because text: String, atEnd: Bool = true,
    restores: Bool = true
  ) async throws {
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains(text) == true, "\(summary.reason ?? "no reason")")
    let all = result.edited()
    if atEnd {
      #expect(received == result.untilEndOfRAM(all))
    } else {
      // What is not dropped any more crosses, and never RAM's end.
      #expect(received.count <= result.untilEndOfRAM(result.marked).count)
    }
    #expect(scene.guest.state.withLock { $0.abort } != nil)
    #expect(!restores || scene.qmp.state.withLock { $0.settings.last } == "events=false")
  }

  /// The source ends in the middle of a page after the first round.
  private func cut(_ scene: Scene, status: String? = nil) async throws -> MigrationSummary {
    try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      let start = build.offset
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      build.reopen(2, id: 2)
      build.page(0, 700)
      try source.write(Array(build.sample.bytes[start...].dropLast(100)))
      if let status { scene.qmp.migration(is: status) }
      source.shutDown()
    }
  }
}

/// Waits on a thread of its own: Swift's pool must not be blocked.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    _ = BlockingThread("waiting") { continuation.resume(returning: body()) }
  }
}
