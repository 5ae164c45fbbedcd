import Lab
import StreamProxy

/// What one of many migrations came to. The keys are those of the JSON report.
struct DowntimeRun: Encodable {
  var kind: RunKind
  /// Milliseconds, as the source QEMU reports it.
  var downtimeQEMU: Double
  /// Milliseconds from the last heartbeat of the guest at the source to the first at the destination,
  /// on the host's clock.
  var downtimeClient: Double
  /// From `migrate` to completed, the guest's preparation inside.
  var totalSeconds: Double
  /// What the source's host put on the wire meanwhile.
  var wireBytes: UInt64
  /// Pages that the proxy replaced by a zero record.
  var pagesDropped: Int
  /// Times that QEMU read the dirty log.
  var rounds: Int

  private enum CodingKeys: String, CodingKey {
    case kind = "name"
    case downtimeQEMU = "downtime_qemu_ms"
    case downtimeClient = "downtime_client_ms"
    case totalSeconds = "total_s"
    case wireBytes = "wire_bytes"
    case pagesDropped = "pages_dropped"
    case rounds
  }
}
