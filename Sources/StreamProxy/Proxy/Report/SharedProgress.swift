import HookLink
import Synchronization

/// What the threads of one migration tell whoever shows it or sums it up.
final class SharedProgress: Sendable {
  struct Values: Sendable {
    var channel = ChannelSnapshot()
    /// Why nothing is dropped, where that is so.
    var uneditedReason: String?
    var report: GuestMessage.ReportEnd?
    /// From PREPARE to the end of the report.
    var prepareDuration: Duration?
    var connectedAt: ContinuousClock.Instant?
    var pinnedBandwidth: UInt64?
  }

  private let values = Mutex(Values())

  func update(_ body: (inout Values) -> Void) { values.withLock { body(&$0) } }

  var now: Values { values.withLock { $0 } }
}
