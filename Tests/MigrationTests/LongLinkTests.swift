import Foundation
import MigrationLab
import Testing

@testable import StreamProxy

/// Over a slow link on which each way takes 50 ms, a guest that goes on writing arrives whole.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct LongLinkTests {
  /// Milliseconds.
  private static let downtimeLimit = 300

  @Test(
    "A guest that writes converges over a long link, and arrives whole",
    arguments: [Way.plain, .multifd2, .preempt])
  func converges(_ way: Way) async throws {
    let bench = try MigrationBench(way, hung: Hang.end(way))
    let proxy = try bench.makeProxy()
    let folder = "/tmp/lcl\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let wire = SocketAddress.unix(path: "\(folder)/wire")
    let link = try LongLink(
      at: wire, to: try #require(SocketAddress(bench.connectURI)), delay: .milliseconds(50),
      bytesPerSecond: 60_000_000)
    defer { link.stop() }
    let running = Task { await proxy.run() }
    _ = try OperatorClient.ask(.retarget(wire), at: bench.control)
    if way.postcopy == nil {
      try bench.source.set(["downtime-limit": .number(LongLinkTests.downtimeLimit)])
    }
    try await bench.migrate(to: bench.listenURI)
    let summary = await running.value
    print(way.name, summary.text, bench.destination.complaints, separator: "\n")
    #expect(summary.outcome == .completed, "\(bench.destination.complaints)")
    #expect(summary.deadPagesMet > 0 && summary.pagesDropped == summary.deadPagesMet)
    let comparison = bench.compare(dropped: true)
    #expect(
      comparison.isEqual, "\(comparison.unexpected) pages differ: \(comparison.first ?? "")")
    #expect(comparison.isDropped(atLeast: way.leastShareDropped))
  }
}
