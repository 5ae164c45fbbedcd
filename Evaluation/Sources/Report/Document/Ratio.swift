import Lab

/// How some runs' figure stands to that of others under the same conditions.
struct Ratio: Sendable {
  let values: Distribution
  let bases: Distribution
  /// The ratios of runs of the same repetition of one session, which met the same state of the machine; nil
  /// where no repetition has both.
  let pairs: Distribution?

  /// Fewer runs than this on a side say nothing of their spread, and prove nothing.
  static let enough = 3

  /// nil where one side has no figure.
  init?(_ runs: [Run], to others: [Run], of value: (Run) -> Double?) {
    guard let values = Distribution(runs.compactMap(value)),
      let bases = Distribution(others.compactMap(value))
    else { return nil }
    self.values = values
    self.bases = bases
    let base = Ratio.byTurn(others, value)
    pairs = Distribution(
      Ratio.byTurn(runs, value).compactMap { turn, value in base[turn].map { value / $0 } })
  }

  /// In which all methods were run once, one after the other.
  private struct Turn: Hashable {
    var session: Run.Session?
    var repetition: Int
  }

  /// Where a repetition was measured again, its last run is the one that stands.
  private static func byTurn(_ runs: [Run], _ value: (Run) -> Double?) -> [Turn: Double] {
    Dictionary(
      runs.compactMap { run in
        value(run).map { (Turn(session: run.session, repetition: run.repetition), $0) }
      }, uniquingKeysWith: { $1 })
  }

  var ofMedians: Double { values.median / bases.median }

  var hasEnoughRuns: Bool { min(values.count, bases.count) >= Ratio.enough }

  /// Median, lowest and highest of the pairs' ratios.
  var pairsText: String {
    guard pairs != nil else { return "no pairs" }
    return "pairs \(Table.cell(pairs, digits: 2))"
  }
}
