import StreamProxy

// What an operator tells a QEMU about a migration.

extension TestMachine {
  func setCapabilities(_ names: [String]) throws {
    guard !names.isEmpty else { return }
    try qmp.setMigrateCapabilities(Dictionary(uniqueKeysWithValues: names.map { ($0, true) }))
  }

  public func set(_ parameters: [String: Parameter]) throws {
    guard !parameters.isEmpty else { return }
    try qmp.execute("migrate-set-parameters", arguments: parameters)
  }

  public enum Parameter: Encodable, Equatable, Sendable, CustomStringConvertible {
    case number(Int)
    case text(String)

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .number(let value): try container.encode(value)
      case .text(let value): try container.encode(value)
      }
    }

    public var description: String {
      switch self {
      case .number(let value): "\(value)"
      case .text(let value): value
      }
    }
  }

  public func migrate(to uri: String, resume: Bool = false) throws {
    struct Arguments: Encodable {
      var uri: String
      var resume: Bool
    }
    try qmp.execute("migrate", arguments: Arguments(uri: uri, resume: resume))
  }

  func listen(at uri: String) throws {
    try qmp.execute("migrate-incoming", arguments: ["uri": uri])
  }

  /// Whether the running migration has less to send, or is over.
  func hasLeft(lessThan bytes: UInt64) throws -> Bool {
    let answer = try qmp.queryMigrate()
    // Before the first round nothing is counted.
    guard let ram = answer.ram, ram.dirtySyncCount > 0 else { return answer.isOver }
    return ram.remaining < bytes
  }

  /// Whether so many rounds have begun, at least: QEMU 11.1 counts more than there are.
  func isIn(round: UInt64) throws -> Bool {
    guard let ram = try qmp.queryMigrate().ram else { return false }
    let hasSentAllOnce = (ram.normal + ram.duplicate) * ram.pageSize >= ram.total
    return hasSentAllOnce && ram.dirtySyncCount >= round
  }

  public func waitForStatus(_ status: String) async throws {
    while try qmp.queryMigrate().status != status { try await Task.sleep(for: .milliseconds(10)) }
  }
}
