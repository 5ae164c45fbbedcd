import Foundation
import Glibc
import Logging
import StreamProxy

/// Two QEMUs and a guest that reports; the proxy between them is made when it is wanted.
public final class MigrationBench: Sendable {
  public let source: TestMachine
  public let destination: TestMachine
  public let guest: ReportingGuest
  public let content: GuestContent
  public let listenURI: String
  public let connectURI: String
  /// The guest's end of the hook link.
  public var hook: SocketAddress { guest.address }
  /// Where the proxy takes an operator's requests.
  public let control: SocketAddress
  private let way: Way
  /// What the source may send, in bytes per second.
  private let bandwidth: Int
  private let directory: String
  private let watchdog: Watchdog

  /// - Parameters:
  ///   - bandwidth: what the source may send, in bytes per second.
  ///   - seconds: after so long both QEMUs are killed, so that nothing waits for them any more.
  ///   - hung: is called then, first, with what the QEMUs have complained about.
  public init(
    _ way: Way, in setting: MigrationSetting = MigrationSetting(), bandwidth: Int? = nil,
    seconds: Int = 90, hung: @escaping @Sendable (String) -> Void
  ) throws {
    // As the proxy's program does: a QEMU that dies while it is written to is a migration's result.
    signal(SIGPIPE, SIG_IGN)
    var way = way
    let stopsGuests = setting.stopsGuests && !way.mayBeDamaged
    way.stopped = way.stopped || stopsGuests
    self.way = way
    content = GuestContent(setting.layout)
    let directory =
      FileManager.default.temporaryDirectory.path
      + "/lc\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    self.directory = directory
    control = .unix(path: "\(directory)/control")
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    do {
      var machine = TestMachine.Configuration(
        name: "src", directory: directory, release: setting.source,
        machineVersion: way.machineVersion ?? setting.machineVersion, layout: setting.layout,
        encrypted: way.encrypted, arguments: way.arguments)
      let source = try TestMachine(machine)
      machine.name = "dst"
      machine.release = setting.destination
      machine.isDestination = true
      machine.paused = !way.runs || stopsGuests
      machine.shares = way.sharesMemory ? source : nil
      let destination = try TestMachine(machine)
      (self.source, self.destination) = (source, destination)
      try source.plug(setting.layout)
      watchdog = Watchdog(seconds: seconds) {
        hung("\(source.complaints)\(destination.complaints)")
        source.kill()
        destination.kill()
      }
      try source.fill(content)
      let port = Int.random(in: 20000..<30000)
      listenURI = way.overTCP ? "tcp:127.0.0.1:\(port)" : "unix:\(directory)/in"
      connectURI = way.overTCP ? "tcp:127.0.0.1:\(port + 1)" : "unix:\(directory)/out"
      guest = try ReportingGuest(
        path: "\(directory)/hook", content: content, memory: source.memory,
        preparation: way.preparation, lie: way.lie)
      for machine in [source, destination] {
        try machine.setCapabilities(
          way.capabilities + (machine === source ? way.sourceCapabilities : []))
        try machine.set(way.parameters)
        if way.encrypted { try machine.set(["tls-creds": .text("tls0")]) }
      }
      // The guest dirties its stretch of memory faster than any link carries it; where it is to go
      // on for a while it must not converge by itself.
      let waits = way.postcopy != nil || way.convergesAfter != nil || bandwidth != nil
      self.bandwidth = bandwidth ?? way.bandwidth ?? (waits ? 100 << 20 : 1 << 30)
      try source.set([
        "downtime-limit": .number(waits ? 1 : 2000), "max-bandwidth": .number(self.bandwidth),
      ])
      for bitmap in way.dirtyBitmaps {
        try source.qmp.execute("block-dirty-bitmap-add", arguments: bitmap)
      }
      try destination.listen(at: connectURI)
    } catch {
      try? FileManager.default.removeItem(atPath: directory)
      throw error
    }
  }

  deinit {
    watchdog.cancel()
    guest.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// One that stands between the two from now on; what it says goes to standard error.
  ///
  /// - Parameter change: of the options that suit this bench.
  public func makeProxy(
    logLevel: Logger.Level = .debug, _ change: (inout MigrationProxy.Options) -> Void = { _ in }
  ) throws -> MigrationProxy {
    var options = MigrationProxy.Options(
      listen: SocketAddress(listenURI)!, connect: SocketAddress(connectURI)!,
      qmp: .unix(path: source.proxySocket))
    options.hook = guest.address
    options.control = control
    change(&options)
    var logger = Logger(label: "proxy") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = logLevel
    return try MigrationProxy(options, logger: logger)
  }

  /// Does what an operator does for a migration of this kind, until nothing is left to do.
  ///
  /// - Parameter uri: of the proxy, or of the destination itself.
  public func migrate(to uri: String) async throws {
    if way.stopped { try source.qmp.execute("stop") }
    if way.isCompressed, uri == listenURI {
      try await migrateSlowly(to: uri)
    } else {
      try source.migrate(to: uri)
    }
    switch way.postcopy {
    case .after(let milliseconds):
      try await Task.sleep(for: .milliseconds(milliseconds))
      try source.qmp.execute("migrate-start-postcopy")
    case .whenRemaining(let bytes):
      while try !source.hasLeft(lessThan: bytes) { try await Task.sleep(for: .milliseconds(5)) }
      try source.qmp.execute("migrate-start-postcopy")
    case .afterRounds(let rounds):
      // A guest that is stopped has one round.
      while !way.stopped, try !source.isIn(round: rounds) {
        try await Task.sleep(for: .milliseconds(10))
      }
      if way.stopped { try await Task.sleep(for: .milliseconds(800)) }
      try source.qmp.execute("migrate-start-postcopy")
    case nil: break
    }
    if let milliseconds = way.convergesAfter {
      try await Task.sleep(for: .milliseconds(milliseconds))
      try source.set(["downtime-limit": .number(2000), "max-bandwidth": .number(1 << 30)])
    }
    guard way.capabilities.contains("pause-before-switchover") else { return }
    try await source.waitForStatus("pre-switchover")
    try await Task.sleep(for: .milliseconds(300))
    try source.qmp.execute("migrate-continue", arguments: ["state": "pre-switchover"])
  }

  /// The sockets' buffers take a large part of the guest compressed, and what goes into them before the
  /// guest has filled its pages is not sent again: from outside that is in nobody's dirty log. So the
  /// source sends a packet at a time until then.
  private func migrateSlowly(to uri: String) async throws {
    try source.set(["max-bandwidth": .number(10_000)])
    try source.migrate(to: uri)
    while !guest.hasReported, try !source.qmp.queryMigrate().isOver {
      try await Task.sleep(for: .milliseconds(10))
    }
    try source.set(["max-bandwidth": .number(bandwidth)])
  }

  /// Ends both QEMUs at once, and with them whatever still goes on between them.
  public func kill() {
    source.kill()
    destination.kill()
  }

  /// The memory at both ends, compared as this way allows.
  ///
  /// - Parameter reused: what was held and taken anew by the guest.
  public func compare(dropped: Bool, reused: Range<UInt64>? = nil) -> MemoryComparison {
    var allowance = MemoryComparison.Allowance()
    allowance.dropped = dropped
    allowance.runs = way.runs
    allowance.sourceIsEmpty = way.emptiesSource
    allowance.sourceGoesOn = way.sourceGoesOn
    allowance.reused = reused
    return MemoryComparison(
      content, source: source.memory, destination: destination.memory, allowing: allowance)
  }

  /// Whether the source's guest has its memory, and everything in it that it changes.
  public var sourceIsWhole: Bool {
    var allowance = MemoryComparison.Allowance()
    (allowance.runs, allowance.sourceGoesOn) = (true, true)
    return MemoryComparison(
      content, source: source.memory, destination: source.memory, allowing: allowance
    ).isEqual
  }

  /// Waits until the source's guest runs again; false when it does not within ten seconds.
  public func sourceRunsAgain() async throws -> Bool {
    for _ in 0..<200 {
      if try source.qmp.queryStatus().running { return true }
      try await Task.sleep(for: .milliseconds(50))
    }
    return false
  }
}

/// Which QEMUs, which machine, which memory.
public struct MigrationSetting: Sendable {
  public var source: QEMURelease
  public var destination: QEMURelease
  public var layout: GuestLayout

  public init(
    source: QEMURelease = .installed, destination: QEMURelease = .installed,
    layout: GuestLayout = .low
  ) {
    (self.source, self.destination, self.layout) = (source, destination, layout)
  }

  /// The newest machine type that both know.
  var machineVersion: String { min(source.number, destination.number).machineVersion }

  public var stopsGuests: Bool { source.damagesRunningGuests || destination.damagesRunningGuests }
}
