import FoundationEssentials

/// What `--json` writes.
struct BenchReport: Encodable {
  var conditions: BenchConditions
  var rows: [BenchRow]

  /// - Throws: where the file cannot be written.
  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let text = String(decoding: try encoder.encode(self), as: UTF8.self)
    try writeText(text + "\n", to: path)
  }
}
