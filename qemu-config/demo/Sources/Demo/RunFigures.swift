import ArgumentParser

/// The ways in which the demo migrates.
enum RunKind: String, CaseIterable, ExpressibleByArgument, Encodable {
  /// QEMU to QEMU.
  case plain
  /// Through the proxy, which asks nothing of the guest and edits nothing.
  case passthrough
  case leafcutter
}

/// What one run, or the medians of several, came to.
struct RunFigures: Encodable {
  var kind: RunKind
  var values: [Metric: Double] = [:]
  /// The guest's steps of preparation, in seconds.
  var steps: [Step] = []

  struct Step: Encodable {
    var name: String
    var seconds: Double
  }

  subscript(_ metric: Metric) -> Double? {
    get { values[metric] }
    set { values[metric] = newValue }
  }

  /// The median of each figure; the steps are those of the last run.
  static func medians(of runs: [RunFigures]) -> RunFigures? {
    guard var result = runs.last else { return nil }
    for metric in Metric.allCases {
      let sorted = runs.compactMap { $0[metric] }.sorted()
      guard !sorted.isEmpty else { continue }
      let middle = sorted.count / 2
      result[metric] =
        sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
    return result
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// Every key is always there, so that whoever reads the report need not ask.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(kind, forKey: Key(stringValue: "name"))
    for metric in Metric.allCases {
      try container.encode(self[metric], forKey: Key(stringValue: metric.rawValue))
    }
    try container.encode(steps, forKey: Key(stringValue: "prepare_steps"))
  }
}
