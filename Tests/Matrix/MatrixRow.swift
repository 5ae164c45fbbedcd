import MigrationLab

/// One migration of the matrix, and what must come of it.
struct MatrixRow: Sendable {
  var setting: MigrationSetting
  var way: Way
  /// Without the proxy between, to know whose fault a failure is.
  var isControl = false
  /// Belongs to the short form.
  var isShort = false

  /// Where the guest runs, for a stopped one is compared anyway, and QEMU may damage running ones; and
  /// where it is QEMU that fails.
  var needsControl: Bool {
    if case .fails = way.expectation { return true }
    return !setting.stopsGuests && !way.stopped
  }

  var control: MatrixRow {
    var row = self
    row.isControl = true
    return row
  }
}

/// As it stands in the file.
struct MatrixResult: Codable, Sendable {
  enum Verdict: String, Codable, Sendable { case equal, unequal, failed, hang }

  var source: String
  var destination: String
  /// Capabilities that are on, parameters that are set, and how it was done.
  var capabilities: [String]
  var layout: String
  var result: Verdict
  var deadMet = 0
  var dropped = 0
  /// Why nothing was dropped, or what failed; null where pages were dropped.
  var reason: String?
  /// Pages that the guest has filled with zeroes, where the stream cannot be edited; the reason says so.
  var zeroed = 0

  private enum CodingKeys: String, CodingKey {
    case source, destination, capabilities, layout, result, dropped, reason
    case deadMet = "dead_met"
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(source, forKey: .source)
    try container.encode(destination, forKey: .destination)
    try container.encode(capabilities, forKey: .capabilities)
    try container.encode(layout, forKey: .layout)
    try container.encode(result, forKey: .result)
    try container.encode(deadMet, forKey: .deadMet)
    try container.encode(dropped, forKey: .dropped)
    try container.encode(reason, forKey: .reason)
  }
}
