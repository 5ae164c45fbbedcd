import Foundation
import Glibc
import HookLink
import Logging
import StreamProxy
import Synchronization
import Testing

/// One way to migrate: what is turned on, and what is to come of it.
struct Way: CustomTestStringConvertible, Sendable {
  var name: String
  var capabilities: [String] = []
  var parameters: [String: TestMachine.Parameter] = [:]
  /// The held pages are to be dropped, at least this share of them.
  var drops = false
  /// Start post-copy so many milliseconds after `migrate`.
  var postcopyAfter: Int?
  var overTCP = false
  /// Stop the guest first: it writes faster than this way carries.
  var stopped = false
  var machine = "pc-q35-10.0"
  /// Let the guest run at the destination, so that it asks for pages.
  var runs = false

  var testDescription: String { name }

  /// Those whose name contains LEAFCUTTER_WAYS, or all.
  static let chosen = all.filter { way in
    ProcessInfo.processInfo.environment["LEAFCUTTER_WAYS"].map(way.name.contains) ?? true
  }

  static let all: [Way] = [
    Way(name: "plain", drops: true),
    Way(name: "pause-before-switchover", capabilities: ["pause-before-switchover"], drops: true),
    Way(name: "xbzrle", capabilities: ["xbzrle"]),
    Way(name: "multifd 1", capabilities: ["multifd"], parameters: ["multifd-channels": .number(1)],
      drops: true),
    Way(name: "multifd 2", capabilities: ["multifd"], parameters: ["multifd-channels": .number(2)],
      drops: true),
    Way(
      name: "multifd 4, TCP", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(4)], drops: true, overTCP: true),
    Way(
      name: "multifd 2, machine of 7.2", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2)], drops: true, machine: "pc-q35-7.2"),
    Way(
      name: "multifd 4, legacy zero pages", capabilities: ["multifd"],
      parameters: [
        "multifd-channels": .number(4), "zero-page-detection": .text("legacy"),
      ], drops: true),
    Way(
      name: "multifd zlib", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2), "multifd-compression": .text("zlib")],
      stopped: true),
    Way(
      name: "multifd zstd", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2), "multifd-compression": .text("zstd")],
      stopped: true),
    Way(name: "postcopy-ram, unused", capabilities: ["postcopy-ram"], drops: true),
    Way(name: "postcopy-ram", capabilities: ["postcopy-ram"], drops: true, postcopyAfter: 1000),
    Way(
      name: "postcopy-preempt", capabilities: ["postcopy-ram", "postcopy-preempt"], drops: true,
      postcopyAfter: 1000),
    Way(
      name: "postcopy-ram, guest runs", capabilities: ["postcopy-ram"], drops: true,
      postcopyAfter: 1000, runs: true),
    Way(
      name: "postcopy-preempt, guest runs, TCP",
      capabilities: ["postcopy-ram", "postcopy-preempt"], drops: true, postcopyAfter: 1000,
      overTCP: true, runs: true),
    Way(
      name: "postcopy-preempt, machine of 7.2, guest runs",
      capabilities: ["postcopy-ram", "postcopy-preempt"], drops: true, postcopyAfter: 1000,
      machine: "pc-q35-7.2", runs: true),
    Way(
      name: "postcopy before the mark page has passed", capabilities: ["postcopy-ram"],
      postcopyAfter: 0),
  ]
}

/// Migrations between two real QEMUs through the proxy, one for each set of channels. They need
/// qemu-system-x86_64 and run when LEAFCUTTER_QEMU is set (1, or the program's path).
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct ChannelMigrationTests {
  @Test("A guest arrives whole over every set of channels", arguments: Way.chosen)
  func arrivesWhole(_ way: Way) async throws {
    let directory = "/tmp/lc\(getpid())-\(UInt16.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: directory) }

    let source = try TestMachine(name: "src", in: directory, machine: way.machine)
    let destination = try TestMachine(
      name: "dst", in: directory, machine: way.machine, incoming: "defer",
      paused: !way.runs)
    let watchdog = Watchdog(seconds: 60) {
      // Nothing can be waited for any more.
      print("HANG in \(way.name)", source.complaints, destination.complaints)
      source.kill()
      destination.kill()
      exit(99)
    }
    defer { watchdog.cancel() }
    source.waitUntilReady()
    let port = Int.random(in: 20000..<30000)
    let listenURI = way.overTCP ? "tcp:127.0.0.1:\(port)" : "unix:\(directory)/in"
    let connectURI = way.overTCP ? "tcp:127.0.0.1:\(port + 1)" : "unix:\(directory)/out"
    for machine in [source, destination] {
      try machine.setCapabilities(way.capabilities)
      try machine.set(way.parameters)
    }
    // The guest dirties its stretch of memory faster than any link carries it.
    try source.set(["downtime-limit": .number(2000), "max-bandwidth": .number(1 << 30)])
    if way.postcopyAfter != nil {
      // It does not converge by itself.
      try source.set(["max-bandwidth": .number(100 << 20), "downtime-limit": .number(1)])
    }
    try destination.listen(at: connectURI)

    let guest = try ReportingGuest(path: "\(directory)/hook", memory: source.memory)
    defer { guest.stop() }
    var options = MigrationProxy.Options(
      listen: SocketAddress(listenURI)!, connect: SocketAddress(connectURI)!,
      qmp: .unix(path: source.proxySocket))
    options.hook = guest.address
    var logger = Logger(label: "proxy") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .debug
    let proxy = try MigrationProxy(options, logger: logger)
    let running = Task { await proxy.run() }
    if way.stopped { try source.qmp.execute("stop") }
    try source.migrate(to: listenURI)
    try await follow(way, source)
    let summary = await running.value
    print(way.name, summary.text, destination.complaints, separator: "\n")

    #expect(summary.outcome == .completed, "\(destination.complaints)")
    #expect(summary.text.contains("dropped") && (summary.pagesDropped > 0) == way.drops)
    let postcopy = source.qmp.events.record.contains { $0.event == .migration(status: "postcopy-active") }
    #expect(postcopy == (way.postcopyAfter != nil))
    compare(source, destination, way, summary)
  }

  /// Does what an operator would do while a migration of this kind runs.
  private func follow(_ way: Way, _ source: TestMachine) async throws {
    if let milliseconds = way.postcopyAfter {
      try await Task.sleep(for: .milliseconds(milliseconds))
      try source.qmp.execute("migrate-start-postcopy")
    }
    guard way.capabilities.contains("pause-before-switchover") else { return }
    while try source.qmp.queryMigrate().status != "pre-switchover" {
      try await Task.sleep(for: .milliseconds(20))
    }
    try await Task.sleep(for: .seconds(1))
    try source.qmp.execute("migrate-continue", arguments: ["state": "pre-switchover"])
  }

  private func compare(
    _ source: TestMachine, _ destination: TestMachine, _ way: Way, _ summary: MigrationSummary
  ) {
    let pageSize = GuestMemoryFile.pageSize
    let different = source.memory.differences(
      from: destination.memory, in: 0x10_0000..<Firmware.memorySize)
    // The mark page carries the verdict, which only the destination sees.
    let unexpected = different.filter { offset in
      offset != Firmware.markAddress && !(way.drops && Firmware.held.contains(offset))
        && !(way.runs && Firmware.changing.contains(offset))
    }
    #expect(unexpected.isEmpty, "\(unexpected.count) pages differ, first at \(unexpected.first ?? 0)")
    let zero = destination.memory.zeroPages(in: Firmware.held)
    if way.drops {
      #expect(zero == Firmware.held.count / pageSize)
      #expect(summary.deadPagesMet > 0 && summary.pagesDropped == summary.deadPagesMet)
      let mark = MarkPage(parsing: destination.memory.page(at: Firmware.markAddress))
      #expect(mark?.verdict != nil && mark?.verdict == mark?.nonce)
      #expect(MarkPage(parsing: source.memory.page(at: Firmware.markAddress))?.verdict == nil)
    } else {
      #expect(zero == 0)
    }
  }
}

/// Calls `body` on a thread of its own unless it is cancelled in time.
final class Watchdog: Sendable {
  private let cancelled = Atomic(false)

  init(seconds: Int, _ body: @escaping @Sendable () -> Void) {
    _ = BlockingThread("watchdog") {
      for _ in 0..<seconds * 10 where !self.cancelled.load(ordering: .relaxed) { usleep(100_000) }
      if !self.cancelled.load(ordering: .relaxed) { body() }
    }
  }

  func cancel() { cancelled.store(true, ordering: .relaxed) }
}
