import StreamSamples
import Testing

@testable import StreamProxy

/// Migrations of which the source does not say what they came to. The destination's word counts then
/// (SHUT, which is what the source itself goes by), and where that is missing nobody knows.
@Suite(.serialized, .timeLimit(.minutes(10))) struct UnknownOutcomeTests {
  private static let started: [UInt8] = [0, 1, 0, 4, 0, 0, 0, 0]
  private static let failed: [UInt8] = [0, 1, 0, 4, 0, 0, 0, 1]

  /// The source is lost, with its QMP, when all but `missing` bytes have crossed.
  private func play(
    _ scene: Scene, returnPath: Bool = true, missing: Int = 0, destinationSays: [UInt8] = []
  ) async throws -> MigrationSummary {
    try await scene.play { scene in
      let source = try scene.connect()
      var build = Scene.beginning(returnPath: returnPath)
      try source.write(build.sample.bytes)
      var sent = build.offset
      let isAsked = returnPath && scene.options.hook != nil
      let migration = isAsked ? scene.guest.awaitPrepare() ?? .none : .none
      build.scenePages(mark: Scene.copy(of: migration), probe: Scene.probe(of: migration))
      try source.write(Array(build.sample.bytes[sent...]))
      if isAsked { #expect(scene.destination?.awaitBytes(8000) == true) }
      scene.qmp.raise("STOP")
      scene.qmp.migration(is: "device")
      sent = build.offset
      build.sceneEnd(mark: Scene.copy(of: migration))
      let bytes = Array(build.sample.bytes[sent...].dropLast(missing))
      try source.write(bytes)
      // The device states are after the point of no return.
      let last = Array(bytes.suffix(16))
      #expect(soon { scene.destination?.received.withLock { $0.suffix(16) == last[...] } == true })
      scene.qmp.close()
      try scene.destination?.say(destinationSays)
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
  }

  @Test(arguments: [0, 20])
  func aSourceThatIsKilledAfterTheEndOfRAMLeavesNobodyWhoKnows(missing: Int) async throws {
    let scene = try Scene()
    let summary = try await play(scene, missing: missing)
    #expect(summary.result == "unknown" && summary.exitCode == 7)
    #expect(summary.reason?.contains("it is not known which side has the guest") == true)
    #expect(summary.reason?.contains("query-status") == true)
    // Where it is at the source, it may let go.
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  @Test func aDestinationThatSaysThatItHasStartedHasTheGuest() async throws {
    let pong: [UInt8] = [0, 2, 0, 4, 0, 0, 0, 1]
    let scene = try Scene()
    let summary = try await play(scene, destinationSays: pong + UnknownOutcomeTests.started)
    #expect(summary.outcome == .completed && summary.exitCode == 0)
    #expect(scene.guest.state.withLock { $0.abort } == nil)
  }

  @Test func aDestinationThatSaysThatItHasFailedHasNot() async throws {
    let scene = try Scene()
    let summary = try await play(scene, destinationSays: UnknownOutcomeTests.failed)
    #expect(summary.exitCode == ExitStatus.destinationEnded)
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  @Test func withoutAReturnPathOnlyQMPKnows() async throws {
    let summary = try await play(try Scene(set: { $0.hook = nil }), returnPath: false)
    #expect(summary.exitCode == 7)
  }

  @Test func behindTLSOnlyQMPKnows() async throws {
    let scene = try Scene(set: { $0.hook = nil })
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write([22, 3, 1, 0, 0, 1, 2, 3])
      #expect(scene.destination?.awaitBytes(8) == true)
      scene.qmp.migration(is: "device")
      scene.qmp.close()
      // No handshake's answer, and what it looks like says nothing.
      try scene.destination?.say([22, 3, 1, 0] + UnknownOutcomeTests.started)
      source.shutDownWriting()
      #expect(source.awaitEnd())
    }
    #expect(summary.exitCode == 7)
  }
}
