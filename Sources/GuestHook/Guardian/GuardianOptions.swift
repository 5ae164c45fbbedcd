import HookLink

/// What an operator can choose.
public struct GuardianOptions: Sendable {
  public var port = PortAddress.named(PortAddress.defaultName)
  /// Where databases and `leafcutter-guest status|save|load` connect.
  public var socket = LocalMessage.defaultSocket
  /// Who may connect besides root: members of this group (a number), if any. Whoever may connect is
  /// trusted to hold what it says it holds.
  public var socketGroup: UInt32?
  /// Bytes of cache that a database keeps while it waits for the end of a migration. What clients read goes
  /// through it, and with what the allocator has around it that must fit into the last round of a pre-copy,
  /// 37 MB at 1 Gbit/s and 300 ms: with 32 MiB it did not (docs/measurements.md).
  public var smallCacheBytes: UInt64 = 12 << 20
  /// Per cent of each database's cache that a migration leaves in place.
  public var keepPercent: UInt8 = 0
  /// Bytes of memory that stay available while ballast is taken.
  public var headroomBytes: UInt64 = 128 << 20
  public var evictsCache = true
  public var dropsPageCache = true
  public var takesBallast = true
  /// Whether databases read their leaves back when a migration is over.
  public var refaults = true
  public var refaultThreads: UInt32 = 4
  /// Leaves per second over all threads; 0 is as fast as it goes.
  public var refaultRate: UInt32 = 0
  /// A refault is slower while the databases' own reads take long.
  public var refaultYields = true
  public var evictThreads: UInt32 = 2
  /// This program, for the keeper and the ballast.
  public var executable = "/proc/self/exe"
  /// Seconds for which the keeper holds on after the guardian has died.
  public var keeperBound = 30
  /// Where the kernel says that another one is loaded.
  var loadedKernelPath = LoadedKernel.path
  var rules = HoldRules()

  public init() {}
}

/// The times by which the guardian lets go without being told.
struct HoldLimits {
  /// Post-copy's lease: no sooner than this after the last acknowledgement, and after the last heartbeat.
  static let lease = UInt64.seconds(15)
  /// The link is up and the proxy acknowledges no heartbeat: it hangs, or somebody else has come to the
  /// port so fast after it that the guest never saw the port closed.
  static let silence = UInt64.seconds(20)
  /// The same after the frames have been filled with zeroes: nothing can be lost, and where somebody
  /// listens at the destination's port it is the only sign of the arrival.
  static let silenceAfterZeroes = UInt64.seconds(5)
  /// A REVOKE is not acknowledged.
  static let revoke = UInt64.seconds(5)
  /// Nor while memory is nearly out, and the kernel may end one process after the other, none of which frees what is
  /// pinned here.
  static let urgentRevoke = UInt64.seconds(1)
  /// A database does not answer Release.
  static let release = UInt64.seconds(30)
  static let heartbeat = UInt64.seconds(1)
  static let pressureInterval = UInt64.milliseconds(100)
  /// After a part of the hold has been given back: until it is free.
  static let pressureAfterPart = UInt64.milliseconds(300)
  /// The share of what was held at first that is given back at a time.
  static let part: UInt64 = 4
}
