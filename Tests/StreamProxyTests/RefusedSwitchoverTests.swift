import Glibc
import HookLink
import StreamSamples
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// A switchover to post-copy that is refused with pages dropped (``RefusedSwitchover``).
@Suite(.serialized, .timeLimit(.minutes(10))) struct RefusedSwitchoverTests {
  @Test func theSourceHearsOfAFailureAndIsReadToItsEnd() async throws {
    let (summary, source, destination) = try await refuse()
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains("not proven before post-copy: the guest was reset") == true)
    // PONG to the package, and SHUT with an error; 4 bytes each.
    #expect(source.heard == [0, 2, 0, 4, 0, 0, 0, 0x42, 0, 1, 0, 4, 0, 0, 0, 1])
    #expect(source.wroteEverything)
    // The probe crossed, and a page of nine bytes.
    #expect(destination.count == source.beforeSwitchover - 4095)
  }

  @Test func aSourceThatHasGivenItsMemoryAwayIsClosed() async throws {
    let (summary, source, destination) = try await refuse(also: "release-ram")
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(source.heard == [])
    #expect(!source.wroteEverything)
    #expect(destination.count == source.beforeSwitchover - 4095)
  }

  /// kexec: the mark page says so, but it travels when the guest runs at the destination.
  @Test(arguments: [true, false])
  func aGuestWhoseHookPortHasClosedIsNotSwitchedOver(isKnown: Bool) async throws {
    let (summary, source, _) = try await refuse { scene in
      close("hook0", ["hook": false], in: scene, untilAsked: isKnown)
    }
    #expect(summary.exitCode == ExitStatus.failed)
    let reason = "not proven before post-copy: the guest's end of the hook port is closed"
    #expect(summary.reason?.contains(reason) == true, "\(summary.reason ?? "")")
    #expect(source.wroteEverything)
  }

  /// Its new kernel's guardian opens the port too, and knows nothing of the migration. QEMU says so up to a second later,
  /// and where it is asked before, the port is open.
  @Test(arguments: [true, false])
  func aGuestWhoseHookPortWasClosedAndOpenedAgainIsNotSwitchedOver(asked: Bool) async throws {
    let (summary, source, _) = try await refuse { scene in
      scene.guest.say(
        GuestMessage.Heartbeat(sequence: 1, time: Scene.guestTime),
        in: scene.guest.awaitPrepare() ?? .none)
      #expect(scene.guest.awaitAcknowledgement(1))
      close("hook0", ["hook": true], in: scene, untilAsked: asked)
      scene.qmp.raise("VSERPORT_CHANGE", data: #"{"id":"hook0","open":true}"#)
    }
    let reason = "not proven before post-copy: the guest's end of the hook port is closed"
    #expect(summary.reason?.contains(reason) == true, "\(summary.reason ?? "")")
    #expect(source.wroteEverything)
  }

  @Test func aPortOfWhichQEMUDoesNotTellWhichItIsIsTakenForTheHookPort() async throws {
    let (summary, source, _) = try await refuse { scene in
      close("hook0", ["another/path/to/hook": false], in: scene, untilAsked: true)
    }
    let reason = "not proven before post-copy: the guest's end of the hook port is closed"
    #expect(summary.reason?.contains(reason) == true, "\(summary.reason ?? "")")
    #expect(source.wroteEverything)
  }

  /// The guest's agent, for instance.
  @Test func anotherPortThatHasClosedIsNoReason() async throws {
    let (summary, _, _) = try await refuse { scene in
      close("agent0", ["hook": true, "agent": false], in: scene, untilAsked: true)
    }
    // This guest sends none.
    let reason = "no heartbeat of the guest"
    #expect(summary.reason?.contains(reason) == true, "\(summary.reason ?? "")")
  }

  /// It would leave the guest stopped for ever, were it closed: nobody has the guest, and the judge waits for its STOP.
  @Test func anOperatorWhoStopsTheProxyThenDoesNotTakeTheGuestFromTheSource() async throws {
    let scene = try Scene(set: {
      guard case .unix(let path) = $0.listen else { return }
      $0.control = .unix(path: path + ".control")
      $0.stopTimeout = .seconds(4)
    })
    let control = try #require(scene.options.control)
    let (summary, source, destination) = try await refuse(in: scene, stops: false) { scene in
      scene.qmp.migration(is: "device")
      _ = BlockingThread("operator") {
        // When the proxy has come to the switchover, whose bytes follow at once.
        usleep(1_000_000)
        let answer = try? OperatorClient.ask(.stop, at: control)
        #expect(answer == #"{"stopped":true}"#)
      }
    }
    #expect(summary.exitCode == ExitStatus.interrupted)
    #expect(source.heard == RefusedSwitchover.failure && source.wroteEverything)
    #expect(destination.count == source.beforeSwitchover - 4095)
  }

  /// QEMU says STOP, has the guest's disks flushed, and only then changes its state; meanwhile it answers nothing.
  @Test func neitherDoesOneWhoStopsItWhileTheGuestsDisksAreFlushed() async throws {
    let scene = try Scene(set: {
      guard case .unix(let path) = $0.listen else { return }
      $0.control = .unix(path: path + ".control")
    })
    let control = try #require(scene.options.control)
    let flushed = try WakeUp.make()
    let (summary, source, _) = try await refuse(in: scene, stops: false) { scene in
      scene.qmp.migration(is: "active")
      scene.qmp.state.withLock { $0.obstacle = flushed }
      scene.qmp.raise("STOP")
      #expect((try? OperatorClient.ask(.stop, at: control)) == #"{"stopped":true}"#)
      scene.qmp.state.withLock { $0.obstacle = nil }
      flushed.raise()
    }
    #expect(summary.exitCode == ExitStatus.interrupted)
    #expect(source.heard == RefusedSwitchover.failure && source.wroteEverything)
  }

  @Test(arguments: ["postcopy-ram", "dirty-bitmaps"])
  func aSourceThatCanBeSwitchedOverTakesItsGuestBackSince10(capability: String) {
    var capabilities = MigrationCapabilities(
      enabled: [capability], parameters: MigrationParameters())
    let version = QEMUVersion(major: 10, minor: 0, micro: 2)
    #expect(RefusedSwitchover.isPossible(with: capabilities, of: version))
    #expect(
      !RefusedSwitchover.isPossible(
        with: capabilities, of: QEMUVersion(major: 9, minor: 2, micro: 0)))
    capabilities.enabled.insert("release-ram")
    #expect(!RefusedSwitchover.isPossible(with: capabilities, of: version))
  }

  @Test func aMultifdChannelThatCannotBeReadThenDoesNotTakeTheGuestFromTheSource() async throws {
    let scene = try Scene()
    scene.qmp.state.withLock { state in
      state.capabilities["postcopy-ram"] = true
      state.capabilities["multifd"] = true
      state.otherParameters = #","multifd-channels":1"#
    }
    let heard = Mutex<[UInt8]>([])
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      let channel = try scene.connect()
      var pages = MultifdStream(channel: 0)
      pages.pages("pc.ram", normal: [1000, 1001])
      try channel.write(pages.bytes)
      var build = beginning
      let sent = build.offset
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      try source.write(Array(build.sample.bytes[sent...]))
      #expect(scene.destination?.awaitBytes(8000) == true)
      let before = pages.bytes.count
      pages.pages("pc.ram", normal: Array(Scene.held))
      try channel.write(Array(pages.bytes[before...]))
      // The header, and none of its pages.
      #expect(soon { scene.destination?.receivedElsewhere.withLock { $0.count } ?? 0 > before })
      scene.qmp.migration(is: "device")
      scene.qmp.raise("STOP")
      try channel.write([UInt8](repeating: 9, count: 5000))
      var answer: [UInt8] = []
      while answer.count < RefusedSwitchover.failure.count, let bytes = source.readSome(),
        !bytes.isEmpty
      {
        answer += bytes
      }
      scene.qmp.migration(is: "failed")
      channel.shutDown()
      source.shutDownWriting()
      while let bytes = source.readSome(), !bytes.isEmpty { answer += bytes }
      heard.withLock { $0 = answer }
    }
    #expect(heard.withLock { $0 } == RefusedSwitchover.failure)
    #expect(summary.exitCode == ExitStatus.failed, "\(summary.reason ?? "")")
  }

  @Test func aDestinationThatDiesThenDoesNotTakeTheGuestFromTheSource() async throws {
    let (summary, source, _) = try await refuse(stops: false, sendsMore: true) { scene in
      scene.qmp.migration(is: "device")
      scene.destination?.die()
    }
    #expect(summary.exitCode == ExitStatus.destinationEnded, "\(summary.reason ?? "")")
    #expect(source.heard == RefusedSwitchover.failure && source.wroteEverything)
  }

  /// The guest closes a port.
  ///
  /// - Parameters:
  ///   - chardevs: what QEMU says then, by the names of sockets in the scene's folder.
  ///   - untilAsked: whether the proxy's monitor has its turn; before, nobody knows which port it was.
  @Sendable private func close(
    _ id: String, _ chardevs: [String: Bool], in scene: Scene, untilAsked: Bool
  ) {
    let before = scene.qmp.state.withLock { state in
      for (name, isOpen) in chardevs { state.chardevs["\(scene.folder)/\(name)"] = isOpen }
      return state.chardevQueries
    }
    scene.qmp.raise("VSERPORT_CHANGE", data: #"{"id":"\#(id)","open":false}"#)
    guard untilAsked else { return }
    #expect(soon { scene.qmp.state.withLock { $0.chardevQueries } > before })
    // Until it has the answer.
    usleep(500_000)
  }

  private struct Source {
    /// Bytes.
    var beforeSwitchover = 0
    var heard: [UInt8] = []
    var wroteEverything = false
  }

  /// - Parameters:
  ///   - stops: whether QMP says that the guest has stopped.
  ///   - sendsMore: whether the source sends a page before it switches over.
  ///   - doubt: what happens before the guest stops.
  private func refuse(
    in scene: Scene? = nil, also capability: String? = nil, stops: Bool = true,
    sendsMore: Bool = false,
    because doubt: @escaping @Sendable (Scene) -> Void = {
      $0.qmp.raise("RESET", data: #"{"guest":true}"#)
    }
  ) async throws -> (MigrationSummary, Source, destination: [UInt8]) {
    let scene = try scene ?? Scene()
    scene.qmp.state.withLock { state in
      state.capabilities["postcopy-ram"] = true
      if let capability { state.capabilities[capability] = true }
    }
    let kept = Kept()
    let summary = try await scene.play { scene in
      let (source, beginning, migration) = try scene.begin()
      var build = beginning
      var sent = build.offset
      build.reopen(2, id: 2)
      build.page(0, Scene.probePage, content: Scene.probe(of: migration))
      build.page(0, 512)
      build.endOfSection()
      try source.write(Array(build.sample.bytes[sent...]))
      let before = build.offset
      #expect(scene.destination?.awaitBytes(before - 4095) == true)
      doubt(scene)
      if stops { scene.qmp.raise("STOP") }
      sent = before
      if sendsMore {
        build.reopen(2, id: 2)
        build.page(0, 700)
        build.endOfSection()
      }
      // More than the sockets take: the whole of it is written only to somebody who reads.
      build.packaged([UInt8](repeating: 5, count: 4 << 20))
      let wrote = (try? source.write(Array(build.sample.bytes[sent...]))) != nil
      // QEMU closes when it has come to its end.
      scene.qmp.migration(is: "failed")
      source.shutDownWriting()
      var heard: [UInt8] = []
      while let bytes = source.readSome(), !bytes.isEmpty { heard += bytes }
      kept.source.withLock {
        $0 = Source(beforeSwitchover: before, heard: heard, wroteEverything: wrote)
      }
    }
    let received = scene.destination?.received.withLock { $0 } ?? []
    return (summary, kept.source.withLock { $0 }, received)
  }

  private final class Kept: Sendable {
    let source = Mutex(Source())
  }
}
