import HookLink
import Synchronization

/// What the threads of one migration tell whoever shows it or sums it up.
final class SharedProgress: Sendable {
  struct Values: Sendable {
    /// The main channel.
    var channel = ChannelSnapshot()
    /// The others, by the order of their arrival.
    var others: [Int: ChannelSnapshot] = [:]
    /// Why nothing is dropped, where that is so.
    var uneditedReason: String?
    var report: GuestMessage.ReportEnd?
    /// By the beginnings of the segments of guest memory that a probe has shown to be where they are
    /// said to be.
    var deadSegments: [(start: UInt64, pages: Int)] = []
    /// From PREPARE to the end of the report.
    var prepareDuration: Duration?
    /// Post-copy lost its connections; the operator may recover it.
    var awaitsRecovery = false
    var connectedAt: ContinuousClock.Instant?
    var pinnedBandwidth: UInt64?
    /// What `downtime-limit` was set to last, in milliseconds.
    var scaledDowntimeLimit: UInt64?

    /// The main channel is passed on unread, so nobody here sees where it is.
    var isBlind: Bool { channel.bypassReason != nil }
    /// All channels together; what only the main one has (rounds, commands) is its own.
    var total: ChannelSnapshot { others.values.reduce(into: channel) { $0.add($1) } }
  }

  private let values = Mutex(Values())

  func update(_ body: (inout Values) -> Void) { values.withLock { body(&$0) } }

  var now: Values { values.withLock { $0 } }
}
