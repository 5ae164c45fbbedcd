import HookLink
import StreamSamples
import Synchronization
import Testing

@testable import StreamProxy

/// What the source QEMU does in one migration; each part can be made to go wrong.
struct SourceScript: Sendable {
  var returnPath = true
  var block = "pc.ram"
  /// Whether the guest is expected to be asked.
  var awaitsPrepare = true
  /// The mark page in the first round and in END; nil where it does not come.
  var firstMark: @Sendable (MigrationID) -> [UInt8]? = { Scene.copy(of: $0) }
  var lastMark: @Sendable (MigrationID) -> [UInt8]? = { Scene.copy(of: $0) }
  /// The probe page in the first round; nil where it does not come.
  var probe: @Sendable (MigrationID) -> [UInt8]? = { Scene.probe(of: $0) }
  /// What happens between the first round and the guest's STOP.
  var between: @Sendable (Scene, Socket, MigrationID) throws -> Void = { _, _, _ in }
  /// Bytes that are put after the first round.
  var anomaly: [UInt8] = []
  var stopsGuest = true
  /// What QMP says that the migration came to.
  var finalStatus = "completed"

  /// What was sent, and what the proxy said of it.
  struct Result: Sendable {
    var sent: SampleStream
    var migration: MigrationID
    /// The proxy ended the source's connection.
    var sawEnd: Bool

    /// What a proxy makes of it that drops the held pages and writes the verdict.
    func edited(dropping: Range<Int> = Scene.held) -> [UInt8] {
      sent.edited(mark: mark) { place, _ in dropping.contains(place.page) }
    }

    /// With the verdict only.
    var marked: [UInt8] { edited(dropping: 0..<0) }

    /// The same up to the EOS that closes RAM.
    func untilEndOfRAM(_ bytes: [UInt8]) -> [UInt8] {
      let end = sent.stops.first { $0.kind == .endOfRAM }?.offset ?? 0
      return bytes.dropLast(sent.bytes.count - end)
    }

    var mark: SampleStream.Mark {
      .init(
        place: Scene.oracleMark, identification: MarkPage.identification(for: migration),
        identificationOffset: 0, verdict: MarkPage.verdict(for: migration), verdictOffset: 64)
    }
  }

  func run(in scene: Scene) throws -> Result {
    let source = try scene.connect()
    var build = Scene.beginning(returnPath: returnPath, block: block)
    try source.write(build.sample.bytes)
    let migration = awaitsPrepare ? scene.guest.awaitPrepare() ?? .none : .none
    var sent = build.offset
    build.scenePages(mark: firstMark(migration), probe: probe(migration))
    build.put(anomaly)
    // A proxy that has given up takes no more.
    try? source.write(Array(build.sample.bytes[sent...]))
    // Where the guest is not asked, QEMU must not say "completed" before the proxy has looked.
    if !awaitsPrepare { #expect(scene.destination?.awaitBytes(build.offset) == true) }
    try between(scene, source, migration)
    if stopsGuest { scene.qmp.raise("STOP") }
    sent = build.offset
    build.sceneEnd(mark: lastMark(migration))
    try? source.write(Array(build.sample.bytes[sent...]))
    // It hears of it from the destination; a source that closes before has given up.
    let last = build.sample.bytes.suffix(16)
    _ = soon {
      source.peerHasClosed
        || scene.destination?.received.withLock { $0.suffix(16).elementsEqual(last) } != false
    }
    scene.qmp.migration(is: finalStatus)
    source.shutDownWriting()
    return Result(sent: build.sample, migration: migration, sawEnd: source.awaitEnd())
  }
}

extension Scene {
  /// Plays a whole migration.
  func play(
    _ script: SourceScript
  ) async throws -> (summary: MigrationSummary, result: SourceScript.Result, received: [UInt8]) {
    let kept = Kept()
    let summary = try await play { scene in
      let result = try script.run(in: scene)
      kept.result.withLock { $0 = result }
    }
    let result = try #require(kept.result.withLock { $0 })
    #expect(result.sawEnd, "the source is left waiting")
    if let destination { #expect(destination.awaitEnd(), "the destination is left waiting") }
    return (summary, result, destination?.received.withLock { $0 } ?? [])
  }
}

private final class Kept: Sendable {
  let result = Mutex<SourceScript.Result?>(nil)
}
