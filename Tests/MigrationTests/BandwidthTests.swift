import Foundation
import Glibc
import MigrationLab
import Testing

@testable import StreamProxy

/// Dropped pages must not make QEMU believe in a bandwidth that the wire does not have.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct BandwidthTests {
  @Test(
    "While pages are dropped QEMU is told what the wire takes, and everything is put back",
    arguments: QEMURelease.available)
  func correctsAndPutsBack(_ release: QEMURelease) async throws {
    let way = Way("slow wire").with { $0.mayBeDamaged = true }
    let bench = try MigrationBench(
      way, in: MigrationSetting(source: release, destination: release), hung: Hang.end(way))
    let proxy = try bench.makeProxy()
    let folder =
      FileManager.default.temporaryDirectory.path
      + "/lcb\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let wire = SocketAddress.unix(path: "\(folder)/wire")
    let rate = 30_000_000
    let end: SocketAddress = try #require(SocketAddress(bench.connectURI))
    let relay = try ChannelRecorder(
      at: wire, to: end, in: folder,
      bytesPerSecond: rate)
    defer { relay.stop() }
    let running = Task { await proxy.run() }
    _ = try OperatorClient.ask(.retarget(wire), at: bench.control)
    // Too short to be kept, whatever QEMU believes in.
    try bench.source.set(["downtime-limit": .number(20)])
    let before = try bench.source.qmp.migrateParameters()
    try bench.source.migrate(to: bench.listenURI)
    var lowest = UInt64.max
    var last: UInt64?
    var dropped = (pages: UInt64(0), at: ContinuousClock.now)
    func quiet() -> Duration { dropped.pages == 0 ? .zero : dropped.at.duration(to: .now) }
    while quiet() < .seconds(3) || (last != 20 && quiet() < .seconds(10)) {
      last = try bench.source.qmp.migrateParameters().downtimeLimit
      lowest = min(lowest, last ?? .max)
      let pages = UInt64(proxy.progress.now.total.counters.droppedPages)
      if pages > dropped.pages { dropped = (pages, .now) }
      try await Task.sleep(for: .milliseconds(20))
    }
    // No page is dropped any more, so nothing is overrated.
    #expect(last == 20)
    #expect(try bench.source.qmp.queryStatus().running, "the guest was stopped too early")
    try bench.source.set(["downtime-limit": .number(5000)])
    let summary = await running.value
    print(way.name, summary.text, lowest, summary.pinnedBandwidth as Any, separator: "\n")
    #expect(summary.outcome == .completed && summary.pagesDropped > 0)
    let measured = try #require(summary.wireBytesPerSecond)
    #expect(measured < 2 * Double(rate), "\(measured)")
    if before.availSwitchoverBandwidth != nil {
      let pinned = try #require(summary.pinnedBandwidth)
      #expect(Double(pinned) < 2 * Double(rate))
      #expect(lowest == 20)
    } else {
      #expect(summary.pinnedBandwidth == nil)
      #expect(lowest < 20)
    }
    // What the operator has changed meanwhile stays.
    var expected = before
    expected.downtimeLimit = 5000
    #expect(try bench.source.qmp.migrateParameters() == expected)
  }
}
