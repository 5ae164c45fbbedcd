import EvaluationReport
import Lab
import StreamProxy

/// One migration by a method, ordered and waited for.
struct OrderedMigration {
  let method: Method
  let source: VirtualMachine
  let destination: VirtualMachine
  /// Seconds.
  let timeout: Double

  struct Result {
    var completedAt: UInt64
    var status: MigrationStatus
    /// Whether it came to its end; if not it has been cancelled.
    var converged: Bool
  }

  /// - Parameters:
  ///   - uri: the destination, or the proxy.
  ///   - pagesFlow: whether pages are being sent, asked every 20 ms.
  /// - Throws: where QEMU reports a failure.
  func run(to uri: String, pagesFlow: () -> Bool) throws(LabError) -> Result {
    try Migration.begin(from: source, uri: uri)
    let began = HostClock.now
    var flowing: UInt64?
    var switched = false
    while true {
      let status: MigrationStatus
      do {
        status = try source.qmp.queryMigrate()
      } catch {
        throw source.error("\(error)")
      }
      let now = HostClock.now
      if status.isOver {
        guard status.status == "completed" else {
          throw source.error(
            "the migration \(status.status ?? "?"): "
              + (status.errorDescription ?? "QEMU gives no reason"))
        }
        return Result(completedAt: now, status: status, converged: true)
      }
      if let moment = method.postcopySwitch, !switched, status.status == "active" {
        if flowing == nil, pagesFlow() { flowing = now }
        let isDue =
          switch moment {
          // The dirty log has been read a second time.
          case .afterOnePass: (status.ram?.dirtySyncCount ?? 0) >= 2
          case .afterOneSecond: flowing.map { HostClock.seconds(from: $0, to: now) > 1 } ?? false
          }
        if isDue {
          switched = true
          try onQMP(of: source) { try $0.execute("migrate-start-postcopy") }
        }
      }
      guard HostClock.seconds(from: began, to: now) < timeout else {
        return try cancel(status)
      }
      HostClock.sleep(0.02)
    }
  }

  private func cancel(_ status: MigrationStatus) throws(LabError) -> Result {
    guard method.postcopySwitch == nil else {
      throw source.error("the migration did not come to its end within \(Int(timeout)) s")
    }
    try onQMP(of: source) { try $0.execute("migrate_cancel") }
    return Result(completedAt: HostClock.now, status: status, converged: false)
  }
}
