/// One figure of a run. The raw value is its key in the JSON report, where it is a number in the unit
/// that the key names (bytes and counts where it names none), or null where the run has no such figure.
enum Metric: String, CaseIterable {
  /// From `migrate` to completed, on the host's clock, the guest's preparation inside.
  case total = "total_s"
  /// As the source QEMU reports it.
  case downtimeQEMU = "downtime_qemu_ms"
  /// From the last heartbeat that the source's guest sent to the first from the destination's, on the
  /// host's clock.
  case downtimeClient = "downtime_client_ms"
  /// The longest time between two heartbeats in the ten seconds before: what the figure above has in it
  /// without any migration.
  case heartbeatGapBefore = "heartbeat_gap_before_ms"
  /// What the source's host put on the wire from `migrate` to completed.
  case wireBytes = "wire_bytes"
  /// Pages that the destination was sent whole.
  case pagesSent = "pages_sent"
  /// Pages that the proxy replaced by a zero record.
  case pagesDropped = "pages_dropped"
  /// Operations per second in the ten seconds before `migrate`, from there to the switchover, and in
  /// the fifteen seconds after it.
  case operationsBefore = "ops_before"
  case operationsDuring = "ops_during"
  case operationsAfter = "ops_after"
  /// Operations that failed or found a document whose checksum was wrong.
  case operationErrors = "ops_errors"
  /// From the switchover to the beginning of the first second in which the store did at least 90 % of
  /// the operations that it did before.
  case secondsTo90 = "seconds_to_90"
  /// From PREPARE to the guest's complete report.
  case prepare = "prepare_s"
  case leavesManifest = "leaves_manifest"
  case leavesRefaulted = "leaves_refaulted"
  case leavesResident = "leaves_resident"
  /// From the switchover to the guardian's word that the cache has been read back.
  case refault = "refault_s"
  case documentsVerified = "documents_verified"
  case documentsBad = "documents_bad"
  case proxyResident = "proxy_rss_bytes"
  case proxyUser = "proxy_user_s"
  case proxySystem = "proxy_system_s"
  /// CPU time of the proxy's parser.
  case proxyParsing = "proxy_parsing_s"

  /// How it is shown to people: its name with the unit, what it is divided by, digits after the point.
  var presentation: (title: String, divisor: Double, digits: Int) {
    switch self {
    case .total: ("total time, s", 1, 1)
    case .downtimeQEMU: ("downtime by QEMU, ms", 1, 0)
    case .downtimeClient: ("downtime seen by clients, ms", 1, 0)
    case .heartbeatGapBefore: ("  longest gap before, ms", 1, 0)
    case .wireBytes: ("on the wire, MB", 1e6, 0)
    case .pagesSent: ("RAM pages sent", 1, 0)
    case .pagesDropped: ("RAM pages dropped", 1, 0)
    case .operationsBefore: ("ops/s before", 1, 0)
    case .operationsDuring: ("ops/s during", 1, 0)
    case .operationsAfter: ("ops/s after, 15 s", 1, 0)
    case .operationErrors: ("operations failed", 1, 0)
    case .secondsTo90: ("to 90 % of ops/s before, s", 1, 1)
    case .prepare: ("prepare, s", 1, 2)
    case .leavesManifest: ("leaf pages in the manifest", 1, 0)
    case .leavesRefaulted: ("  refaulted", 1, 0)
    case .leavesResident: ("  resident again", 1, 0)
    case .refault: ("  all resident after, s", 1, 1)
    case .documentsVerified: ("documents verified", 1, 0)
    case .documentsBad: ("documents bad", 1, 0)
    case .proxyResident: ("proxy resident, MB", 1e6, 1)
    case .proxyUser: ("proxy user CPU, s", 1, 2)
    case .proxySystem: ("proxy system CPU, s", 1, 2)
    case .proxyParsing: ("  parsing, s", 1, 3)
    }
  }
}
