import Foundation
import Glibc
import StreamSamples
import Testing

@testable import StreamProxy

/// Strangers connect until no descriptor or no thread is left. That ends no migration, neither after the
/// point of no return, where two guests could run, nor before it. The proxy is a process of its own, whose
/// limits are its own.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ShortageTests {
  enum Scarce: CaseIterable, Sendable {
    case descriptors
    /// Only a user other than root has a limit of them (RLIMIT_NPROC).
    case threads

    /// Before the program's own arguments.
    var limited: [String] {
      switch self {
      case .descriptors: ["/usr/bin/prlimit", "--nofile=40:40"]
      case .threads:
        [
          "/usr/bin/prlimit", "--nproc=16:16", "/usr/bin/setpriv", "--reuid", "54321",
          "--inh-caps", "+dac_override", "--ambient-caps", "+dac_override",
        ]
      }
    }

    static var here: [Scarce] { getuid() == 0 ? allCases : [.descriptors] }
  }

  @Test(arguments: Scarce.here)
  func aMigrationPastThePointOfNoReturnOutlastsIt(scarce: Scarce) throws {
    let scene = try Scene()
    let proxy = try ProxyProgram(scene, ["--no-edit"], through: scarce.limited)
    defer { proxy.end() }
    let source = try scene.connect()
    var build = Scene.beginning()
    build.reopen(2, id: 2)
    build.page(0, 512)
    build.endOfSection()
    build.packaged([UInt8](repeating: 5, count: 100))
    let sent = build.offset
    try source.write(build.sample.bytes)
    #expect(scene.destination?.awaitBytes(sent) == true)
    let strangers = try (0..<60).map { _ in try scene.connect() }
    #expect(soon { proxy.words.contains("tried again until it can be done") }, "\(proxy.words)")
    // Several tries.
    usleep(500_000)
    build.reopen(2, id: 2)
    build.page(0, 513)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    try proxy.expectCompletion(scene, of: source, build.sample.bytes, sent: sent)
    #expect(proxy.words.components(separatedBy: "tried again").count == 2, "it is said once")
    for stranger in strangers { stranger.shutDown() }
  }

  @Test(arguments: Scarce.here)
  func aMigrationBeginsWhenItIsOver(scarce: Scarce) throws {
    let scene = try Scene()
    let proxy = try ProxyProgram(scene, ["--no-edit"], through: scarce.limited)
    defer { proxy.end() }
    let strangers = try (0..<60).map { _ in try scene.connect() }
    #expect(soon { proxy.words.contains("tried again until it can be done") }, "\(proxy.words)")
    let source = try scene.connect()
    var build = Scene.beginning()
    build.scenePages(mark: nil, probe: nil)
    build.sceneEnd(mark: nil)
    try source.write(build.sample.bytes)
    for stranger in strangers { stranger.shutDown() }
    #expect(scene.destination?.awaitBytes(build.offset) == true)
    scene.qmp.migration(is: "completed")
    source.shutDownWriting()
    #expect(source.awaitEnd())
    #expect(proxy.awaitExit() == ExitStatus.completed, "\(proxy.words)")
  }
}
