import StreamProxy

/// One migration of a running guest, as an operator or libvirt would order it through QMP.
public struct Migration: Sendable {
  /// Nanoseconds of the host's clock.
  public let startedAt: UInt64
  public let completedAt: UInt64
  /// The source QEMU's own figures.
  public let status: MigrationStatus

  public var totalSeconds: Double { HostClock.seconds(from: startedAt, to: completedAt) }

  /// Milliseconds and bytes per second; what QEMU is given in every run. Its own default of 128 MiB/s
  /// would throttle the wire.
  public static let downtimeLimit: UInt64 = 300
  public static let unlimited: UInt64 = 100 << 30

  /// Lets the destination listen; call it once, before ``run(from:to:uri:timeout:progress:)``.
  ///
  /// - Parameter uri: e.g. `tcp:10.77.0.2:4444`.
  public static func listen(_ destination: VirtualMachine, at uri: String) throws(LabError) {
    struct Arguments: Encodable { var uri: String }
    do {
      try destination.qmp.setMigrateCapabilities(["events": true, "return-path": true])
      try destination.qmp.execute("migrate-incoming", arguments: Arguments(uri: uri))
    } catch {
      throw destination.error("cannot listen for a migration: \(error)")
    }
  }

  /// Orders a migration and does not wait for it.
  ///
  /// - Parameters:
  ///   - uri: the destination, or a proxy before it.
  ///   - maximumBandwidth: bytes per second that QEMU may send.
  ///   - returnPath: false for a stream that goes into a file.
  ///   - downtimeLimit: milliseconds.
  public static func begin(
    from source: VirtualMachine, uri: String, maximumBandwidth: UInt64 = unlimited,
    returnPath: Bool = true, downtimeLimit: UInt64 = downtimeLimit
  ) throws(LabError) {
    struct Arguments: Encodable { var uri: String }
    do {
      try source.qmp.setMigrateCapabilities(["events": true, "return-path": returnPath])
      try source.qmp.setMigrateParameters(
        MigrationParameters(downtimeLimit: downtimeLimit, maxBandwidth: maximumBandwidth))
      try source.qmp.execute("migrate", arguments: Arguments(uri: uri))
    } catch {
      throw source.error("cannot migrate: \(error)")
    }
  }

  /// Migrates and waits for the end.
  ///
  /// - Parameters:
  ///   - uri: the destination, or a proxy before it.
  ///   - maximumBandwidth: bytes per second that QEMU may send.
  ///   - returnPath: false for a stream that goes into a file.
  ///   - downtimeLimit: milliseconds.
  ///   - progress: called twice a second with the source's figures.
  /// - Throws: when QEMU reports anything but `completed`, or nothing within `timeout` seconds; the
  ///   migration is cancelled then.
  public static func run(
    from source: VirtualMachine, to destination: VirtualMachine, uri: String, timeout: Double,
    maximumBandwidth: UInt64 = unlimited, returnPath: Bool = true,
    downtimeLimit: UInt64 = downtimeLimit, progress: (MigrationStatus) -> Void = { _ in }
  ) throws(LabError) -> Migration {
    do {
      let startedAt = HostClock.now
      try begin(
        from: source, uri: uri, maximumBandwidth: maximumBandwidth, returnPath: returnPath,
        downtimeLimit: downtimeLimit)
      var shownAt = startedAt
      while true {
        let status = try source.qmp.queryMigrate()
        let now = HostClock.now
        if status.isOver {
          guard status.status == "completed" else {
            throw LabError(
              "the migration \(status.status ?? "?"): "
                + (status.errorDescription ?? "QEMU gives no reason"))
          }
          return Migration(startedAt: startedAt, completedAt: now, status: status)
        }
        if HostClock.seconds(from: shownAt, to: now) >= 0.5 {
          shownAt = now
          progress(status)
        }
        guard HostClock.seconds(from: startedAt, to: now) < timeout else {
          try? source.qmp.execute("migrate_cancel")
          throw LabError("the migration did not complete within \(Int(timeout)) s")
        }
        HostClock.sleep(0.02)
      }
    } catch let error as LabError {
      throw destination.error(error.sentence).adding(source.logs)
    } catch {
      throw destination.error("\(error)").adding(source.logs)
    }
  }
}
