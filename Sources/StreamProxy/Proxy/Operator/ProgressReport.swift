import HookLink

/// Where a migration is: what `leafcutter control status` prints. As JSON the members are written in
/// snake_case; members that are nil are left out.
public struct ProgressReport: Encodable, Equatable, Sendable {
  /// "waiting" for the source, "migrating", "switched-over" (the guest may run at the destination),
  /// or "awaits-recovery" (post-copy is paused).
  public var state: String
  /// Where the next connections to the destination are made.
  public var target: String
  /// Since the source connected.
  public var seconds: Double?
  public var bytesIn: UInt64
  public var bytesOut: UInt64
  public var rounds: Int
  public var pagesNormal: Int
  public var pagesZero: Int
  public var pagesDropped: Int
  /// As in the summary; nil before the guest has reported.
  public var pagesHeld: UInt64?
  /// Why nothing is dropped, where that is so.
  public var uneditedReason: String?
  public var wireBytesPerSecond: Double?

  private enum CodingKeys: String, CodingKey {
    case state, target, seconds, bytesIn, bytesOut, rounds, pagesNormal, pagesZero, pagesDropped
    case pagesHeld, uneditedReason
    case wireBytesPerSecond = "wire_bytes_per_s"
  }

  init(_ values: SharedProgress.Values, isPastReturn: Bool, target: SocketAddress) {
    let total = values.total
    state =
      values.connectedAt == nil
      ? "waiting"
      : values.awaitsRecovery
        ? "awaits-recovery" : isPastReturn ? "switched-over" : "migrating"
    self.target = target.description
    seconds = values.connectedAt.map { $0.duration(to: .now) / .seconds(1) }
    bytesIn = total.counters.bytesIn
    bytesOut = UInt64(total.bytesWritten)
    rounds = total.rounds
    pagesNormal = total.counters.normalPages
    pagesZero = total.counters.zeroPages
    pagesDropped = total.counters.droppedPages
    pagesHeld = values.report?.pagesHeld
    uneditedReason = values.uneditedReason ?? total.bypassReason
    wireBytesPerSecond = total.wireRate
  }
}
