import EvaluationReport

/// How long all experiments may take together. Each gets a part, so that on a slow machine something of
/// each is measured; what one leaves over is for those after it.
struct TimeLimit {
  private let seconds: Double?
  private var end: UInt64?
  private var waiting: [Experiment]

  /// - Parameters:
  ///   - minutes: nil where it has no limit.
  ///   - experiments: in the order in which they will be asked for.
  init(minutes: Double?, over experiments: [Experiment]) {
    seconds = minutes.map { $0 * 60 }
    waiting = experiments
  }

  /// When the last run of an experiment may begin that starts now.
  mutating func deadline(of experiment: Experiment, now: UInt64) -> UInt64? {
    guard let seconds else { return nil }
    let end = self.end ?? now + UInt64(seconds * 1e9)
    self.end = end
    let parts = waiting.reduce(0) { $0 + $1.partOfTime }
    waiting.removeAll { $0 == experiment }
    guard end > now, parts > 0 else { return now }
    return now + UInt64(Double(end - now) * experiment.partOfTime / parts)
  }
}

extension Experiment {
  /// How long its quick form takes beside those of the others.
  fileprivate var partOfTime: Double {
    switch self {
    case .memory: 1
    case .methods: 8
    case .workloads: 3
    case .service: 5
    }
  }
}
