/// What a source QEMU is set to do in its next migration, as far as it decides whether the stream may
/// be edited.
struct MigrationCapabilities: Equatable, Sendable {
  /// The names of the capabilities that are on.
  var enabled: Set<String>
  var parameters: MigrationParameters

  init(enabled: Set<String>, parameters: MigrationParameters = MigrationParameters()) {
    self.enabled = enabled
    self.parameters = parameters
  }

  static func read(from client: QMPClient) throws(QMPError) -> MigrationCapabilities {
    let states = try client.migrateCapabilities()
    return MigrationCapabilities(
      enabled: Set(states.filter(\.value).keys), parameters: try client.migrateParameters())
  }

  /// Why a stream made with these settings must be forwarded as it is: the first capability or
  /// parameter that forbids editing, in one sentence; nil when nothing does.
  ///
  /// - Parameter version: the source's.
  func editingObstacle(of version: QEMUVersion) -> String? {
    for (name, reason) in MigrationCapabilities.obstacles where enabled.contains(name) {
      return "capability \(name) is on: \(reason)"
    }
    if multifdChannels > 0, let method = parameters.multifdCompression, method != "none" {
      return "capability multifd is on with \(method): pages travel compressed"
    }
    // From 8.0 on QEMU refuses the two together, and from 10.1 on a destination knows how to have both.
    if multifdChannels > 0, postcopyPossible, version < QEMUVersion(major: 8, minor: 0) {
      return """
        capabilities multifd and postcopy-ram are both on: before QEMU 8.0 a destination leaves out the pages \
        that a channel only names, and a guest that has been switched to post-copy waits for them
        """
    }
    if let credentials = parameters.tlsCreds, !credentials.isEmpty {
      return "parameter tls-creds is \"\(credentials)\": the stream is encrypted"
    }
    if let mode = parameters.mode, mode != "normal" {
      return "parameter mode is \(mode): the guest's memory does not travel in the stream"
    }
    return nil
  }

  /// In the order in which they are named to the operator.
  private static let obstacles = [
    (
      "xbzrle",
      "later copies of a page are sent as differences from one that the destination must have"
    ),
    ("compress", "pages travel compressed and are not read by this release"),
    ("x-colo", "the destination's copy of the memory must stay equal to the source's"),
    (
      "x-ignore-shared",
      "memory that is shared does not travel, and QMP does not tell which of the guest's memory is"
    ),
    ("background-snapshot", "pages are sent as they were when the snapshot began"),
    ("mapped-ram", "the stream is a file with pages at fixed places"),
  ]

  /// How many connections carry pages beside the main one; 0 without the capability multifd.
  var multifdChannels: Int {
    enabled.contains("multifd") ? Int(clamping: parameters.multifdChannels ?? 2) : 0
  }

  /// Whether the guest may run at the destination before all of its memory is there.
  var postcopyPossible: Bool { enabled.contains("postcopy-ram") }
}

extension ChannelRoster.Expectation {
  /// Where the settings of a source cannot be read, whatever is silent after the main channel is taken for
  /// a preempt channel, which must not be kept waiting.
  static let unknown = ChannelRoster.Expectation(multifd: nil, preempt: true)

  /// What the settings of a source announce.
  init(of settings: MigrationCapabilities) {
    self.init(
      multifd: settings.multifdChannels,
      preempt: settings.enabled.contains("postcopy-preempt"))
  }
}
