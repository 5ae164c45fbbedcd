import FoundationEssentials
import Glibc
import HookLink
import StreamSamples
import Testing
import Threads

@testable import StreamProxy

/// Requests to a proxy that runs. Whatever comes, the migration goes on.
@Suite(.serialized, .timeLimit(.minutes(10))) struct OperatorTests {
  private func scene() throws -> (scene: Scene, control: SocketAddress) {
    let scene = try Scene(set: {
      guard case .unix(let path) = $0.listen else { return }
      $0.control = .unix(path: path + ".control")
    })
    return (scene, try #require(scene.options.control))
  }

  /// Sends bytes and returns what is answered.
  private func say(_ bytes: [UInt8], to control: SocketAddress) throws -> String {
    let socket = try Socket.connect(to: control)
    try? socket.write(bytes)
    socket.shutDownWriting()
    var answer: [UInt8] = []
    while let more = socket.readSome(), !more.isEmpty { answer += more }
    return String(decoding: answer, as: UTF8.self)
  }

  @Test func statusTellsWhatTheSummaryWillTell() async throws {
    let (scene, control) = try scene()
    var script = SourceScript()
    script.between = { scene, _, _ in
      let text = try OperatorClient.ask(.status, at: control)
      #expect(text.contains(#""state":"migrating""#))
      #expect(text.contains(#""target":"\#(scene.options.connect)""#))
      // The report comes, and what has been written last is counted, soon after.
      for figure in [#""pages_held":\#(Scene.held.count)"#, #""pages_dropped":8"#] {
        #expect(
          soon { (try? OperatorClient.ask(.status, at: control))?.contains(figure) == true })
      }
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
  }

  @Test func framesThatWereFilledWithZeroesAreHeldForStatusAsForTheSummary() {
    var values = SharedProgress.Values()
    values.report = Scene.end(8, zeroed: 5)
    let status = ProgressReport(values, isPastReturn: false, target: .unix(path: "/nobody"))
    let summary = MigrationSummary(.completed, values, total: .seconds(1))
    #expect(status.pagesHeld == 13 && summary.guest?.pagesHeld == 13)
  }

  @Test func aTargetThatIsGivenBeforeTheMigrationIsDialled() async throws {
    let (scene, control) = try scene()
    let other = SocketAddress.unix(path: scene.folder + "/elsewhere")
    let elsewhere = try FakeDestination(at: other)
    defer { elsewhere.close() }
    let summary = try await scene.play { scene in
      #expect(try OperatorClient.ask(.retarget(other), at: control) == #"{"target":"\#(other)"}"#)
      var build = StreamBuilder("short", pageBits: 12)
      build.begin()
      build.startRAM([.init("pc.ram", pages: 5 << 18)])
      build.endOfSection()
      let source = try scene.connect()
      try source.write(build.sample.bytes)
      #expect(elsewhere.awaitBytes(build.offset))
      source.shutDown()
      scene.qmp.migration(is: "failed")
    }
    #expect(summary.outcome != .completed)
    #expect(scene.destination?.received.withLock { $0.isEmpty } == true)
  }

  @Test func aMigrationUnderWayIsNotRetargeted() async throws {
    let (scene, control) = try scene()
    var script = SourceScript()
    script.between = { scene, _, _ in
      let error = #expect(throws: OperatorError.self) {
        try OperatorClient.ask(.retarget(.unix(path: "/nowhere")), at: control)
      }
      #expect(error?.description.contains("is being carried to") == true)
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
  }

  @Test func stopEndsTheMigrationAsASignalDoes() async throws {
    let (scene, control) = try scene()
    let summary = try await scene.play { scene in
      let source = try scene.connect()
      try source.write(Scene.beginning().sample.bytes)
      #expect(scene.guest.awaitPrepare() != nil)
      #expect(try OperatorClient.ask(.stop, at: control) == #"{"stopped":true}"#)
      scene.qmp.migration(is: "failed")
      #expect(source.awaitEnd())
    }
    #expect(summary.outcome == .interrupted)
  }

  @Test func nonsenseIsAnsweredWithOneSentenceAndEndsNothing() async throws {
    let (scene, control) = try scene()
    var script = SourceScript()
    script.between = { _, _, _ in
      for (line, words) in [
        ("", "is no request"), ("\n", "is no request"), ("status now\n", "is no request"),
        ("halt\n", "'halt' is no request"), ("retarget\n", "needs the address"),
        ("retarget tcp:host\n", "'tcp:host' is no address"),
        ("retarget tcp:h:99999\n", "is no address"), ("{\"stop\"}\n", "is no request"),
        (String(repeating: "x", count: 100_000), "longer than"),
      ] {
        let answer = try say(Array(line.utf8), to: control)
        #expect(answer.hasPrefix(#"{"error":""#) && answer.contains(words), "\(line): \(answer)")
        #expect(answer.utf8.count < 400 && answer.hasSuffix("\n"))
      }
      #expect(try say([0xff, 0xfe, 0, 0x0a], to: control).hasPrefix(#"{"error":""#))
      // Many who say nothing keep nobody else waiting.
      let silent = try (0..<20).map { _ in try Socket.connect(to: control) }
      #expect(try say(Array("status".utf8), to: control).hasPrefix("{\"bytes_in\""))
      for socket in silent { socket.shutDown() }
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
  }

  /// `leafcutter control` exits with 2 then, as where nobody is there.
  @Test func aProxyThatDoesNotAnswerHasNotRefused() throws {
    let address = SocketAddress.unix(path: "/tmp/leafcutter-mute-\(UInt32.random(in: 0...(.max)))")
    let mute = try Listener(address, receiveBuffer: 4096)
    let late = #expect(throws: SystemError.self) {
      try OperatorClient.ask(.status, at: address, within: .milliseconds(50))
    }
    #expect(late?.description.contains("nothing came within") == true)
    let ending = BlockingThread("mute") {
      // The one that has given up, and the next.
      for _ in 0..<2 {
        guard let connection = try? mute.accept() else { return }
        _ = connection.readSome()
      }
    }
    let ended = #expect(throws: SystemError.self) { try OperatorClient.ask(.status, at: address) }
    #expect(ended?.description.contains("it ended without an answer") == true)
    #expect(ending.join(for: .seconds(5)))
  }

  @Test func theSocketIsItsOwnersOnlyAndGoesWithTheProxy() async throws {
    let (scene, control) = try scene()
    guard case .unix(let path) = control else { return }
    var script = SourceScript()
    script.between = { _, _, _ in
      var status = stat()
      // Written to a local of the right type.
      #expect(unsafe stat(path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
    }
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == 0)
    // The proxy is released a moment after it has summed up.
    #expect(soon { !FileManager.default.fileExists(atPath: path) })
  }
}
