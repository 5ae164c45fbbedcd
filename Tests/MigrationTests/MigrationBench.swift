import Foundation
import Glibc
import Logging
import StreamProxy

/// Two QEMUs, a guest that reports, and a proxy between them that waits for the migration.
final class MigrationBench: Sendable {
  let source: TestMachine
  let destination: TestMachine
  let guest: ReportingGuest
  let proxy: MigrationProxy
  let listenURI: String
  let connectURI: String
  /// Where the proxy takes an operator's requests.
  let control: SocketAddress
  private let directory: String
  private let watchdog: Watchdog

  /// - Parameter bandwidth: what the source may send, in bytes per second.
  init(_ way: Way, bandwidth: Int? = nil) throws {
    let directory =
      FileManager.default.temporaryDirectory.path
      + "/lc\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    self.directory = directory
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    let source = try TestMachine(
      name: "src", in: directory, machine: way.machine, encrypted: way.encrypted)
    let destination = try TestMachine(
      name: "dst", in: directory, machine: way.machine, incoming: "defer", paused: !way.runs,
      encrypted: way.encrypted)
    self.source = source
    self.destination = destination
    watchdog = Watchdog(seconds: 90) {
      // Nothing can be waited for any more.
      print("HANG in \(way.name)", source.complaints, destination.complaints)
      source.kill()
      destination.kill()
      exit(99)
    }
    source.waitUntilReady()
    let port = Int.random(in: 20000..<30000)
    listenURI = way.overTCP ? "tcp:127.0.0.1:\(port)" : "unix:\(directory)/in"
    connectURI = way.overTCP ? "tcp:127.0.0.1:\(port + 1)" : "unix:\(directory)/out"
    for machine in [source, destination] {
      try machine.setCapabilities(way.capabilities)
      try machine.set(way.parameters)
      if way.encrypted { try machine.set(["tls-creds": .text("tls0")]) }
    }
    // The guest dirties its stretch of memory faster than any link carries it; where post-copy is to
    // begin it must not converge by itself.
    let waits = way.postcopyAfter != nil || bandwidth != nil
    try source.set([
      "downtime-limit": .number(waits ? 1 : 2000),
      "max-bandwidth": .number(bandwidth ?? (waits ? 100 << 20 : 1 << 30)),
    ])
    try destination.listen(at: connectURI)
    guest = try ReportingGuest(
      path: "\(directory)/hook", memory: source.memory, preparation: way.preparation)
    var options = MigrationProxy.Options(
      listen: SocketAddress(listenURI)!, connect: SocketAddress(connectURI)!,
      qmp: .unix(path: source.proxySocket))
    options.hook = guest.address
    control = .unix(path: "\(directory)/control")
    options.control = control
    var logger = Logger(label: "proxy") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .debug
    proxy = try MigrationProxy(options, logger: logger)
  }

  deinit {
    watchdog.cancel()
    guest.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Waits until the source's guest runs again; false when it does not within ten seconds.
  func sourceRunsAgain() async throws -> Bool {
    for _ in 0..<200 {
      if try source.qmp.queryStatus().running { return true }
      try await Task.sleep(for: .milliseconds(50))
    }
    return false
  }

  func waitForSourceStatus(_ status: String) async throws {
    while try source.qmp.queryMigrate().status != status {
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
