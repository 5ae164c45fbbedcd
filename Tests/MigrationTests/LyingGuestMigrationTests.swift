import Foundation
import MigrationLab
import Testing

/// A guest that lies, between two real QEMUs and with the proxy as a process: only its own migration may
/// fail, it lives on at one end, and the proxy's memory stays what it is for an honest one. (See
/// `LyingGuestTests` for what becomes of the single pages.)
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct LyingGuestMigrationTests {
  /// Several times what an honest guest's takes in a debug build, in bytes.
  private static let mostMemory = 64 << 20

  /// What is to come of it.
  private enum Outcome {
    /// It arrives, pages dropped.
    case drops
    /// It arrives, and is sent as it is.
    case passes
    /// It arrives or stays where it was.
    case either
  }

  private static func expected(_ lie: Lie) -> Outcome {
    switch lie {
    case .foreignPages, .changesItsMind, .silentBeforeMark, .silentBeforeReport, .silentInReport:
      .passes
    case .everyPage, .tinyRanges, .silentAfterReport: .drops
    case .noise, .hugeMessage: .either
    }
  }

  @Test("A guest that lies harms only its own migration", arguments: Lie.allCases)
  func harmsOnlyItself(_ lie: Lie) async throws {
    var way = Way("lie \(lie)")
    way.lie = lie
    let bench = try MigrationBench(way, hung: Hang.end(way))
    let proxy = try ProxyProgram(bench, patience: lie == .tinyRanges ? 30 : 2)
    defer { proxy.end() }
    try await bench.migrate(to: bench.listenURI)
    let code = try await proxy.finish()
    let dropped = try #require(proxy.pagesDropped, "\(proxy.lastWords)")
    print(
      way.name, "exit code \(code), \(dropped) dropped, \(proxy.mostMemory >> 10) KiB",
      proxy.lastWords)
    #expect(proxy.mostMemory > 0 && proxy.mostMemory < LyingGuestMigrationTests.mostMemory)
    let status = try bench.source.qmp.queryMigrate().status
    switch LyingGuestMigrationTests.expected(lie) {
    case .drops: #expect(code == 0 && dropped > 1000, "\(proxy.lastWords)")
    case .passes: #expect(code == 0 && dropped == 0, "\(proxy.lastWords)")
    case .either: break
    }
    if code == 0 {
      #expect(status == "completed")
      // Whoever says that its program is held has none.
      if lie != .everyPage {
        let comparison = bench.compare(dropped: dropped > 0)
        #expect(
          comparison.isEqual, "\(comparison.unexpected) pages differ: \(comparison.first ?? "")")
      }
      #expect(try bench.destination.qmp.queryStatus().status != "internal-error")
    } else {
      let goesOn = try await bench.sourceRunsAgain()
      #expect(goesOn)
      #expect(bench.sourceIsWhole)
    }
  }
}

/// `leafcutter proxy` for one migration of a bench.
private final class ProxyProgram {
  private let process = Process()
  private let log: String
  private var summary: String { log + ".json" }
  /// Bytes, as VmHWM says.
  private(set) var mostMemory = 0

  /// - Parameter patience: how long it waits for the report, in seconds.
  init(_ bench: MigrationBench, patience: Int) throws {
    log = NSTemporaryDirectory() + "/lcp\(getpid())-\(UInt32.random(in: 0 ..< .max)).log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.executableURL = ProxyProgram.products.appendingPathComponent("leafcutter")
    process.arguments = [
      "proxy", "--listen", bench.listenURI, "--connect", bench.connectURI, "--qmp",
      "unix:\(bench.source.proxySocket)", "--hook", "\(bench.hook)", "--prepare-timeout",
      "\(patience)",
      "--summary-json", summary,
    ]
    process.standardError = FileHandle(forWritingAtPath: log)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    for _ in 0..<1000 where !words.contains("waiting for the source") { usleep(10_000) }
  }

  private var words: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
  var lastWords: String { String(words.suffix(1500)) }

  /// As its summary says.
  var pagesDropped: Int? {
    struct Summary: Decodable {
      var dropped: Int
      enum CodingKeys: String, CodingKey { case dropped = "pages_dropped" }
    }
    let data = FileManager.default.contents(atPath: summary)
    return data.flatMap { try? JSONDecoder().decode(Summary.self, from: $0).dropped }
  }

  /// Its exit code.
  func finish() async throws -> Int32 {
    while process.isRunning {
      let status = try? String(
        contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
      let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      mostMemory = max(mostMemory, kibibytes * 1024)
      try await Task.sleep(for: .milliseconds(10))
    }
    return process.terminationStatus
  }

  func end() {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    for path in [log, summary] { try? FileManager.default.removeItem(atPath: path) }
  }

  /// Where the build put the program: next to the test bundle.
  private static let products: URL = {
    let path = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: path).deletingLastPathComponent()
  }()
}
