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
    /// Whether it came to its end in the time that it had. If not it has been cancelled, but where it had been
    /// switched to post-copy, from which no guest comes back.
    var converged: Bool
    /// Whether pages were sent when the guest ran at the destination already. A guest whose last pages are
    /// few arrives as with pre-copy, whatever was ordered.
    var switchedToPostcopy = false
  }

  /// - Parameters:
  ///   - uri: the destination, or the proxy.
  ///   - pagesFlow: whether pages are being sent, asked every 20 ms.
  ///   - beforeCancelling: called where time is over, while all programs still run.
  /// - Throws: where QEMU reports a failure.
  func run(
    to uri: String, pagesFlow: () -> Bool, beforeCancelling: () throws(LabError) -> Void
  ) throws(LabError) -> Result {
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
        return Result(
          completedAt: now, status: status, converged: true,
          switchedToPostcopy: switched ? try postcopyBytes() > 0 : false)
      }
      if let moment = method.postcopySwitch, !switched, status.status == "active" {
        if flowing == nil, pagesFlow() { flowing = now }
        let seconds = flowing.map { HostClock.seconds(from: $0, to: now) }
        if moment.isDue(dirtySyncs: status.ram?.dirtySyncCount ?? 0, secondsOfPages: seconds) {
          switched = true
          try source.onQMP { try $0.execute("migrate-start-postcopy") }
        }
      }
      guard HostClock.seconds(from: began, to: now) < timeout else {
        try beforeCancelling()
        if !switched { try source.onQMP { try $0.execute("migrate_cancel") } }
        return Result(
          completedAt: HostClock.now, status: status, converged: false, switchedToPostcopy: switched
        )
      }
      HostClock.sleep(0.02)
    }
  }

  /// What was sent after the switch, as QEMU counts it.
  private func postcopyBytes() throws(LabError) -> UInt64 {
    struct Answer: Decodable {
      struct RAM: Decodable {
        var postcopyBytes: UInt64
        private enum CodingKeys: String, CodingKey { case postcopyBytes = "postcopy-bytes" }
      }
      var ram: RAM?
    }
    do {
      return try source.qmp.execute("query-migrate", returning: Answer.self).ram?.postcopyBytes ?? 0
    } catch {
      throw source.error("\(error)")
    }
  }
}
