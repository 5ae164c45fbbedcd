/// What query-migrate tells (MigrationInfo in QEMU's qapi/migration.json). All counters are those of
/// the source, before anything was dropped.
public struct MigrationStatus: Decodable, Equatable, Sendable {
  /// `setup`, `active`, `device`, `completed`, `failed`, `cancelled` …; nil when none has begun.
  public var status: String?
  /// Milliseconds that the guest stood still, once it is over.
  public var downtime: UInt64?
  /// Why it failed.
  public var errorDescription: String?
  public var ram: RAM?

  public struct RAM: Decodable, Equatable, Sendable {
    /// Pages sent whole.
    public var normal: UInt64
    /// Pages sent as zero pages.
    public var duplicate: UInt64
    /// Bytes.
    public var transferred: UInt64
    /// Bytes.
    public var remaining: UInt64
    /// Bytes of all RAM blocks.
    public var total: UInt64
    /// Times the dirty log was read: rounds with QEMU 10.0, and more than rounds with 11.1.
    public var dirtySyncCount: UInt64
    /// Bytes.
    public var pageSize: UInt64

    private enum CodingKeys: String, CodingKey {
      case normal, duplicate, transferred, remaining, total
      case dirtySyncCount = "dirty-sync-count"
      case pageSize = "page-size"
    }
  }

  private enum CodingKeys: String, CodingKey {
    case status, downtime, ram
    case errorDescription = "error-desc"
  }

  /// States of a migration that is under way and whose guest runs at the source.
  static let beforeSwitchover: Set<String> = ["setup", "wait-unplug", "active"]
  /// States of one whose guest has been stopped there.
  static let sinceSwitchover: Set<String> = [
    "pre-switchover", "device", "postcopy-device", "postcopy-active",
  ]
  static let underWay = beforeSwitchover.union(sinceSwitchover)
  /// States in which post-copy has lost its connections, and is or will be recovered over new ones.
  static let broken: Set<String> = [
    "postcopy-paused", "postcopy-recover-setup", "postcopy-recover",
  ]
  /// States of one that QEMU has given up by itself (`failing` since QEMU 11.0).
  static let failure: Set<String> = ["failing", "failed"]
  /// States of one that is over, or about to be, with the guest where it was.
  static let atSource = failure.union(["cancelling", "cancelled"])
  /// States in which nothing is wanted any more of what the connections so far still carry.
  static let givenUp = atSource.union(broken)
  /// The same for connections that the source has not closed, because they may be a recovery's.
  static let givenUpByAll = atSource.union(["postcopy-paused"])
  /// States that last: the migration is over, or its connections are.
  static let lasting: Set<String> = broken.union(["completed", "failed", "cancelled"])

  /// Whether a migration is over that had begun.
  public var isOver: Bool { ["completed", "failed", "cancelled"].contains(status) }
}

/// The migration parameters the proxy reads or sets (MigrationParameters in qapi/migration.json); nil
/// where this QEMU does not have one, or where it is not to be set.
public struct MigrationParameters: Codable, Equatable, Sendable {
  /// Milliseconds.
  public var downtimeLimit: UInt64?
  /// Bytes per second; 0 lets QEMU estimate. QEMU 8.2 and later.
  public var availSwitchoverBandwidth: UInt64?
  /// Bytes per second.
  public var maxBandwidth: UInt64?
  public var multifdChannels: UInt64?
  /// `none`, `zlib`, `zstd`, `qpl`, `uadk`, `qatzip`.
  public var multifdCompression: String?
  /// Empty where TLS is not used.
  public var tlsCreds: String?
  /// `normal`, `cpr-reboot`, `cpr-transfer` …; QEMU 8.2 and later.
  public var mode: String?

  public init(
    downtimeLimit: UInt64? = nil, availSwitchoverBandwidth: UInt64? = nil,
    maxBandwidth: UInt64? = nil
  ) {
    self.downtimeLimit = downtimeLimit
    self.availSwitchoverBandwidth = availSwitchoverBandwidth
    self.maxBandwidth = maxBandwidth
  }

  private enum CodingKeys: String, CodingKey {
    case mode
    case downtimeLimit = "downtime-limit"
    case availSwitchoverBandwidth = "avail-switchover-bandwidth"
    case maxBandwidth = "max-bandwidth"
    case multifdChannels = "multifd-channels"
    case multifdCompression = "multifd-compression"
    case tlsCreds = "tls-creds"
  }
}
