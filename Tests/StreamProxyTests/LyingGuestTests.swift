import HookLink
import StreamSamples
import Testing

@testable import StreamProxy

/// A guest that claims what it does not own, drowns the proxy in words, breaks off in the middle of one,
/// or listens to nothing. Its migration may come to be an ordinary one, or fail; nothing hangs. (See
/// ``ProxyForwardingTests`` for one that says nothing, contradicts itself or names what is no RAM.)
@Suite(.serialized, .timeLimit(.minutes(10))) struct LyingGuestTests {
  /// A REVOKE's, as many as fit into a message.
  private static let rangesInAMessage = 8192

  @Test func whoReportsEveryPageLosesItsOwnPagesAndIsStillToldWhereItIs() async throws {
    let scene = try Scene(whenAsked: { _ in
      // The memory of the fixture: 3 GiB from 0 and 2 GiB from 4 GiB.
      let low = LyingGuestTests.all(256..<0xc0000, from: 0)
      let high = LyingGuestTests.all(0x100000..<0x180000, from: 0x100000)
      return [Scene.mark(), low, high, Scene.end(low.count + high.count)]
    })
    let (summary, result, received) = try await scene.play(patient)
    #expect(summary.exitCode == 0)
    // What is watched for crosses, whatever the report says.
    let watched = [Scene.markPage, Scene.probePage]
    let expected = result.sent.edited(mark: result.mark) { place, _ in
      !watched.contains(place.page)
    }
    let isEqual = received == expected
    #expect(isEqual)
  }

  @Test func aMillionRangesThatAreTakenBackAreAllTakenBack() async throws {
    // It takes its time, and the mark page's stands still.
    let scene = try Scene(set: { $0.markBound = .seconds(600) })
    var script = SourceScript()
    script.between = { scene, source, migration in
      #expect(scene.destination?.awaitBytes(8000) == true)
      let count = LyingGuestTests.rangesInAMessage
      // Every second page of all that there is, several times over, and at last what is held.
      for message in 0..<122 {
        let ranges = (0..<count).map {
          PageRange(first: UInt64((message % 60) * count * 2 + 1000 + 2 * $0), count: 1)
        }
        scene.guest.say(
          GuestMessage.Revoke(sequence: UInt64(message) + 1, ranges: ranges), in: migration)
      }
      let held = Scene.held.map { PageRange(first: UInt64($0), count: 1) }
      scene.guest.say(GuestMessage.Revoke(sequence: 1000, ranges: held), in: migration)
      #expect(scene.guest.awaitAcknowledgement(1000))
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    // Of END's pages one was held.
    #expect(summary.pagesDropped == Scene.held.count)
  }

  @Test func whoReportsTakesBackAndReportsAgainIsNotBelieved() async throws {
    let scene = try Scene(whenAsked: { _ in
      [
        Scene.mark(), Scene.held(), GuestMessage.Revoke(sequence: 1, ranges: nil), Scene.held(),
        Scene.end(16), Scene.end(8),
      ]
    })
    let (summary, result, received) = try await scene.play(patient)
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(received == result.marked)
  }

  @Test func whoNamesMorePagesThanThereAreTakesThemAllBackAtOnce() async throws {
    // A busy machine takes its time, and the mark page's stands still.
    let scene = try Scene(set: { $0.markBound = .seconds(600) })
    var script = SourceScript()
    let began = ContinuousClock.now
    script.between = { scene, _, migration in
      #expect(scene.destination?.awaitBytes(8000) == true)
      let all = [PageRange](
        repeating: PageRange(first: 0, count: 0x180000), count: LyingGuestTests.rangesInAMessage)
      for message in 1...100 as ClosedRange<UInt64> {
        scene.guest.say(GuestMessage.Revoke(sequence: message, ranges: all), in: migration)
      }
      #expect(scene.guest.awaitAcknowledgement(100))
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0 && began.duration(to: .now) < .seconds(20))
  }

  @Test func whoSaysThatItIsOverBeforeItIsLosesItsMigration() async throws {
    let scene = try Scene()
    var script = SourceScript()
    script.between = { scene, _, migration in
      #expect(scene.destination?.awaitBytes(8000) == true)
      scene.guest.say(
        GuestMessage.Resumed(
          atDestination: false, leavesInManifest: 1, leavesRefaulted: 1, leavesResident: 1,
          steps: []), in: migration)
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode != 0)
    #expect(summary.reason?.contains("says that the migration is over") == true)
  }

  @Test func whoReadsNoAnswerKeepsNobodyWaiting() async throws {
    let scene = try Scene()
    scene.guest.state.withLock { $0.isDeaf = true }
    var script = SourceScript()
    script.between = { scene, _, migration in
      #expect(scene.destination?.awaitBytes(8000) == true)
      for sequence in 1...20_000 {
        let beat = GuestMessage.Heartbeat(sequence: UInt64(sequence), time: Scene.guestTime)
        scene.guest.say(beat, in: migration)
      }
    }
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    #expect(received == result.edited())
  }

  @Test(arguments: [
    Array(Scene.held().frame(for: .none).prefix(40)), LyingGuestTests.endless,
    Scene.mark().frame(for: .none) + LyingGuestTests.endless,
  ])
  func whoBreaksOffInTheMiddleOfAMessageIsWaitedForAsLongAsForAnybody(bytes: [UInt8]) async throws {
    let scene = try Scene(whenAsked: { _ in [] }, set: { $0.prepareTimeout = .milliseconds(300) })
    var script = SourceScript()
    script.between = { scene, _, _ in
      scene.guest.say(bytes: bytes)
      #expect(scene.destination?.awaitBytes(8000) == true)
    }
    let (summary, result, received) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    #expect(received == result.sent.bytes)
    #expect(summary.uneditedReason?.contains("did not report within 0.3 s") == true)
  }

  @Test func whoClaimsToHaveFilledMorePagesThanThereAreIsNotBelieved() async throws {
    let scene = try Scene(whenAsked: { _ in
      [Scene.mark(), Scene.held(), Scene.end(zeroed: .max)]
    })
    let (summary, result, received) = try await scene.play(patient)
    #expect(summary.exitCode == 0 && summary.pagesDropped == 0)
    #expect(summary.uneditedReason?.contains("18446744073709551615 filled with zeroes") == true)
    #expect(received == result.marked)
  }

  /// A source that does not end before its first round has crossed, however long the report takes.
  private var patient: SourceScript {
    var script = SourceScript()
    script.between = { scene, _, _ in #expect(scene.destination?.awaitBytes(8000) == true) }
    return script
  }

  /// A message's beginning that promises more than any message may have.
  private static let endless: [UInt8] = {
    var bytes = Array(Scene.mark().frame(for: .none).prefix(Frame.headerSize))
    for index in 12..<16 { bytes[index] = 0xff }
    return bytes
  }()

  /// Every one of these pages.
  private static func all(_ pages: Range<Int>, from first: Int) -> HeldPages {
    let bytes = (pages.upperBound - first) / 8
    var bitmap = [UInt8](repeating: 0, count: bytes)
    for index in (pages.lowerBound - first) / 8..<bytes { bitmap[index] = 0xff }
    return HeldPages(firstPage: UInt64(first), bitmap: bitmap)
  }
}
