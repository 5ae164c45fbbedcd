import Foundation
import Glibc
import StreamSamples
import Testing

@testable import StreamProxy

/// What a proxy does that is told to end, as a process of its own, because who gets a signal is decided by
/// the masks of all threads.
@Suite(.serialized, .timeLimit(.minutes(10))) struct TerminationTests {
  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func aProxyThatIsToldToEndPutsTheSourceBackAndSaysSo(signal: Int32) throws {
    let scene = try Scene()
    let summary = scene.folder + "/summary"
    let proxy = try ProxyProgram(
      scene, ["--hook", "\(try #require(scene.options.hook))", "--summary-json", summary])
    defer { proxy.end() }
    #expect(scene.qmp.state.withLock { $0.settings } == ["events=true"])
    proxy.send(signal)
    #expect(proxy.awaitExit() == ExitStatus.interrupted, "\(proxy.words)")
    #expect(scene.qmp.state.withLock { $0.settings } == ["events=true", "events=false"])
    guard case .unix(let path) = scene.options.listen else { return }
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try String(contentsOfFile: summary, encoding: .utf8).contains("interrupted"))
  }

  @Test func aSummaryThatCannotBeWrittenIsRefusedBeforeAnythingHasStarted() throws {
    let scene = try Scene()
    let proxy = try ProxyProgram(
      scene,
      ["--hook", "\(try #require(scene.options.hook))", "--summary-json", "\(scene.folder)/no/x"])
    defer { proxy.end() }
    #expect(proxy.awaitExit() == ExitStatus.refused)
    #expect(proxy.words.contains("cannot write the summary to"))
    #expect(scene.qmp.state.withLock { $0.settings }.isEmpty)
  }

  /// A script that reads what an earlier migration came to takes it for this one's.
  @Test func theSummaryOfAnEarlierMigrationIsGoneWhereThisOneIsRefused() throws {
    let scene = try Scene(set: { $0.qmp = .unix(path: "/nonexistent/qmp") })
    let summary = scene.folder + "/summary"
    try "completed".write(toFile: summary, atomically: true, encoding: .utf8)
    let proxy = try ProxyProgram(scene, ["--no-edit", "--summary-json", summary])
    defer { proxy.end() }
    #expect(proxy.awaitExit() == ExitStatus.refused)
    #expect(try String(contentsOfFile: summary, encoding: .utf8).isEmpty)
  }

  @Test func aMigrationUnderWayIsEndedAndTheGuestHearsOfIt() throws {
    let scene = try Scene()
    let proxy = try ProxyProgram(scene, ["--hook", "\(try #require(scene.options.hook))"])
    defer { proxy.end() }
    let source = try scene.connect()
    try source.write(Scene.beginning().sample.bytes)
    #expect(scene.guest.awaitPrepare() != nil)
    proxy.send(SIGTERM)
    #expect(proxy.awaitExit() == ExitStatus.interrupted, "\(proxy.words)")
    #expect(source.awaitEnd())
    #expect(scene.guest.state.withLock { $0.abort } != nil)
  }

  @Test func pastThePointOfNoReturnAMigrationIsCarriedToItsEnd() throws {
    let scene = try Scene()
    let proxy = try ProxyProgram(scene, ["--no-edit"])
    defer { proxy.end() }
    let source = try scene.connect()
    var build = Scene.beginning()
    build.packaged([UInt8](repeating: 5, count: 100))
    let sent = build.offset
    try source.write(build.sample.bytes)
    #expect(scene.destination?.awaitBytes(sent) == true)
    proxy.send(SIGTERM)
    usleep(300_000)
    #expect(proxy.isRunning)
    build.reopen(3, id: 2)
    build.endOfSection()
    try proxy.expectCompletion(scene, of: source, build.sample.bytes, sent: sent)
  }

  /// A terminal after Ctrl-S, or a log collector that hangs, with a guest that stands still meanwhile.
  @Test func aMigrationIsCarriedThoughNobodyReadsWhatIsSaidOfIt() throws {
    let scene = try Scene()
    let pipe = Pipe()
    let full = pipe.fileHandleForWriting.fileDescriptor
    // Filled up, and then as it was before.
    #expect(fcntl(full, F_SETFL, O_NONBLOCK) == 0)
    var bytes = [UInt8](repeating: 0, count: 4096)
    // As many bytes as the array has.
    while unsafe write(full, &bytes, bytes.count) > 0 {}
    #expect(fcntl(full, F_SETFL, 0) == 0)
    let summary = scene.folder + "/summary"
    let proxy = try ProxyProgram(
      scene, ["--no-edit", "--summary-json", summary], to: pipe.fileHandleForWriting)
    defer { proxy.end() }
    let source = try scene.connect()
    var build = Scene.beginning()
    build.reopen(3, id: 2)
    build.endOfSection()
    try proxy.expectCompletion(scene, of: source, build.sample.bytes, sent: 0)
    #expect(try String(contentsOfFile: summary, encoding: .utf8).contains("completed"))
  }

  /// nohup(1), and shells that start something in the background.
  @Test func aSignalThatItsStarterIgnoresIsIgnored() throws {
    let scene = try Scene()
    let proxy = try ProxyProgram(
      scene, ["--no-edit"], through: ["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh"])
    defer { proxy.end() }
    proxy.send(SIGHUP)
    usleep(300_000)
    #expect(proxy.isRunning)
    proxy.send(SIGTERM)
    #expect(proxy.awaitExit() == ExitStatus.interrupted, "\(proxy.words)")
  }
}
