import Glibc
import HookLink
import StreamSamples
import Synchronization
import Testing

@testable import StreamProxy

/// A switchover to post-copy that the judge refuses with pages dropped (``RefusedSwitchover``).
@Suite(.serialized, .timeLimit(.minutes(1))) struct RefusedSwitchoverTests {
  @Test func theSourceHearsOfAFailureAndIsReadToItsEnd() async throws {
    let (summary, source, destination) = try await refuse()
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains("not proven before post-copy: the guest was reset") == true)
    // SHUT, 4 bytes, and that it is an error.
    #expect(source.heard == [0, 1, 0, 4, 0, 0, 0, 1])
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
      guard case .unix(let path) = scene.options.hook else { return }
      close("hook0", path, in: scene, untilAsked: isKnown)
    }
    #expect(summary.exitCode == ExitStatus.failed)
    let reason = "not proven before post-copy: the guest's end of the hook port is closed"
    #expect(summary.reason?.contains(reason) == true, "\(summary.reason ?? "")")
    #expect(source.wroteEverything)
  }

  /// The guest's agent, for instance.
  @Test func anotherPortThatHasClosedIsNoReason() async throws {
    let (summary, _, _) = try await refuse { scene in
      close("agent0", "/run/another", in: scene, untilAsked: true)
    }
    // This guest sends none.
    let reason = "no heartbeat of the guest"
    #expect(summary.reason?.contains(reason) == true, "\(summary.reason ?? "")")
  }

  /// The guest closes a port.
  ///
  /// - Parameter untilAsked: whether the proxy's monitor has its turn; before, nobody knows which port it was.
  @Sendable private func close(
    _ id: String, _ path: String, in scene: Scene, untilAsked: Bool
  ) {
    let before = scene.qmp.state.withLock { state in
      state.closedChardev = path
      return state.chardevQueries
    }
    scene.qmp.raise("VSERPORT_CHANGE", data: #"{"id":"\#(id)","open":false}"#)
    guard untilAsked else { return }
    #expect(soon { scene.qmp.state.withLock { $0.chardevQueries } > before })
    // Until it has the answer.
    usleep(100_000)
  }

  private struct Source {
    /// Bytes.
    var beforeSwitchover = 0
    var heard: [UInt8] = []
    var wroteEverything = false
  }

  /// - Parameter doubt: what happens before the guest stops.
  private func refuse(
    also capability: String? = nil,
    because doubt: @escaping @Sendable (Scene) -> Void = {
      $0.qmp.raise("RESET", data: #"{"guest":true}"#)
    }
  ) async throws -> (MigrationSummary, Source, destination: [UInt8]) {
    let scene = try Scene()
    scene.qmp.state.withLock { state in
      state.capabilities["postcopy-ram"] = true
      if let capability { state.capabilities[capability] = true }
    }
    let kept = Kept()
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      var build = Scene.beginning()
      try source.write(build.sample.bytes)
      let migration = scene.guest.awaitPrepare() ?? .none
      var sent = build.offset
      build.reopen(2, id: 2)
      build.page(0, Scene.probePage, content: Scene.probe(of: migration))
      build.page(0, 512)
      build.endOfSection()
      try source.write(Array(build.sample.bytes[sent...]))
      let before = build.offset
      #expect(scene.destination?.awaitBytes(before - 4095) == true)
      doubt(scene)
      scene.qmp.raise("STOP")
      sent = before
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
