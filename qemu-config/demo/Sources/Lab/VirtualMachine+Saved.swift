import StreamProxy

/// A guest in a file, from which it goes on as often as one likes, each time on a copy of the disk that it had.
extension VirtualMachine {
  /// Writes memory and devices to `path`; the guest stands still then. With `mapped-ram` (QEMU 9.0), whose file is as
  /// large as the memory and read back in no time.
  public func save(to path: String) throws(LabError) {
    try onQMP { qmp in
      try qmp.setMigrateCapabilities(["mapped-ram": true])
      try qmp.setMigrateParameters(MigrationParameters(maxBandwidth: Migration.unlimited))
      try qmp.execute("migrate", arguments: ["uri": "file:\(path)"])
    }
    let saved: Bool? = HostClock.poll(every: 0.05, for: 120) {
      guard let status = try? qmp.queryMigrate(), status.isOver else { return nil }
      return status.status == "completed"
    }
    guard saved == true else { throw error("the guest cannot be saved to \(path)") }
  }

  /// Goes on with what ``save(to:)`` has written, where this machine was started to wait for a migration.
  public func restore(from path: String) throws(LabError) {
    try onQMP { qmp in
      try qmp.setMigrateCapabilities(["mapped-ram": true])
      try qmp.execute("migrate-incoming", arguments: ["uri": "file:\(path)"])
    }
    let runs: Bool? = HostClock.poll(every: 0.02, for: 60) {
      (try? qmp.queryStatus())?.running == true ? true : nil
    }
    guard runs == true else { throw error("the guest that was saved to \(path) does not run") }
    try onQMP { try $0.setMigrateCapabilities(["mapped-ram": false]) }
  }

  /// Runs QMP commands; what QEMU refuses becomes the laboratory's error.
  public func onQMP(_ body: (QMPClient) throws -> Void) throws(LabError) {
    do {
      try body(qmp)
    } catch {
      throw self.error("\(error)")
    }
  }
}
