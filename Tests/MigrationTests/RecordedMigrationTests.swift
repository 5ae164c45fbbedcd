import Foundation
import Glibc
import MigrationLab
import Testing

@testable import StreamProxy

/// `leafcutter inspect` against QEMU's own account of a migration over several connections.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct RecordedMigrationTests {
  @Test(
    "Counts of recorded multifd channels equal QEMU's own",
    arguments: [Way.multifd2, .multifd4], QEMURelease.available)
  func multifd(_ way: Way, _ release: QEMURelease) async throws {
    try await Recording.inFolder { folder in
      let bench = try Recording.bench(way.with { $0.stopped = true }, release)
      let source = bench.source
      let recorder = try ChannelRecorder(at: .unix(path: "\(folder)/in"), in: folder)
      defer { recorder.stop() }
      try await bench.migrate(to: "unix:\(folder)/in")
      try await Recording.waitForEnd(source, recorder)

      let status = try source.qmp.queryMigrate()
      let ram = try #require(status.ram)
      #expect(status.status == "completed")
      let found = try StreamInspector.inspect(paths: recorder.files)
      print(found.text)
      #expect(found.isComplete, "\(found.problem?.line ?? "")")
      let multifd = found.channels.compactMap(\.multifd)
      // QEMU up to 8.0 does not count what a channel begins with.
      let counted = try source.qmp.execute("query-migrate", returning: Account.self)
      let sent = found.channels.filter { $0.kind == "multifd" }.reduce(0) { $0 + $1.bytes }
      let channels = way.name.hasSuffix("4") ? 4 : 2
      let hello = UInt64(64 * channels)
      #expect([counted.ram.multifdBytes, counted.ram.multifdBytes + hello].contains(sent))
      #expect(found.pages.zero == Int(ram.duplicate))
      if source.qmp.version.major > 7 {
        #expect(found.pages.normal == Int(ram.normal))
      } else {
        // 7.2 queues the last page of some packets twice and counts it once (`multifd.c`,
        // multifd_queue_page); its count of bytes above has all of them.
        let repeated = found.pages.normal - Int(ram.normal)
        #expect((0...multifd.reduce(0) { $0 + $1.packets }).contains(repeated))
      }
      #expect(multifd.compactMap(\.id).sorted() == Array(0..<channels))
      // Each marker on the main channel goes with one synchronisation on every other; before 8.1 the
      // ends of RAM's bodies are the markers.
      let bodies = found.sections.filter { $0.name == "ram" }.map { $0.starts + $0.parts + $0.ends }
      let markers = found.multifdFlushes > 0 ? found.multifdFlushes : bodies.reduce(0, +)
      for channel in multifd { #expect(channel.syncPackets == markers) }
      #expect(multifd.contains { $0.compression == "none" })
    }
  }

  @Test(
    "Counts of a recorded preempt channel and its main one equal QEMU's own",
    arguments: QEMURelease.available)
  func preempt(_ release: QEMURelease) async throws {
    try await Recording.inFolder { folder in
      let way = Way.preempt.with {
        $0.parameters = ["max-postcopy-bandwidth": .number(40 << 20)]
        $0.postcopy = .after(800)
        $0.runs = true
        $0.mayBeDamaged = true
      }
      let bench = try Recording.bench(way, release)
      let (source, destination) = (bench.source, bench.destination)
      let end = try #require(SocketAddress(bench.connectURI))
      let recorder = try ChannelRecorder(at: .unix(path: "\(folder)/in"), to: end, in: folder)
      defer { recorder.stop() }
      try await bench.migrate(to: "unix:\(folder)/in")
      try await Recording.waitForEnd(source, recorder)

      let status = try source.qmp.queryMigrate()
      let ram = try #require(status.ram)
      #expect(status.status == "completed", "\(destination.complaints)")
      let found = try StreamInspector.inspect(paths: recorder.files)
      print(found.text)
      #expect(found.isComplete, "\(found.problem?.line ?? "")")
      #expect(found.pages == .init(normal: Int(ram.normal), zero: Int(ram.duplicate)))
      let preempt = try #require(found.channels.first { $0.kind == "postcopy-preempt" })
      #expect(preempt.pages.normal + preempt.pages.zero > 0, "nobody asked for a page")
      // The channel can be read by itself as well.
      let alone = try StreamInspector.inspect(path: preempt.file)
      #expect(alone.isComplete && alone.pages == preempt.pages)
    }
  }
}

/// What query-migrate tells and the proxy does not read.
struct Account: Decodable {
  struct RAM: Decodable {
    var multifdBytes: UInt64

    private enum CodingKeys: String, CodingKey { case multifdBytes = "multifd-bytes" }
  }
  struct Cached: Decodable {
    var pages: Int
    var overflow: Int
  }
  struct Compressed: Decodable {
    var pages: Int
  }
  var ram: RAM
  var xbzrle: Cached?
  var compression: Compressed?

  private enum CodingKeys: String, CodingKey {
    case ram, compression
    case xbzrle = "xbzrle-cache"
  }
}
