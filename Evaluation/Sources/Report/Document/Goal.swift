import Lab

/// What the evaluation has to show. A goal that is missed is said, and nothing fails for it.
package struct Goal: Sendable {
  /// What the figures say of a goal.
  enum Verdict: String {
    case met
    case missed
    case tooFewRuns = "too few runs"
    /// None of the runs on a side was left to itself.
    case disturbed = "other programs ran beside it"

    init(_ ratio: Ratio, within limits: ClosedRange<Double>) {
      self = !ratio.hasEnoughRuns ? .tooFewRuns : limits.contains(ratio.ofMedians) ? .met : .missed
    }
  }

  struct Judgement {
    /// In words.
    let measured: String
    let verdict: Verdict
  }

  /// In words.
  let name: String
  /// The limit in words.
  let limit: String
  /// nil where it was not measured.
  let judge: @Sendable (EvaluationRecord) -> Judgement?

  /// With the figures of disturbed runs, and no verdict, where it was measured in no others.
  private func judgement(of record: EvaluationRecord) -> Judgement? {
    if let judgement = judge(record) { return judgement }
    return judge(record.countingDisturbedRuns).map {
      Judgement(measured: $0.measured, verdict: .disturbed)
    }
  }

  /// A line for the terminal: the goal, its limit, and what was measured.
  package func line(in record: EvaluationRecord) -> String {
    guard let judgement = judgement(of: record) else {
      return "goal \(name): \(limit); not measured"
    }
    return "goal \(name): \(limit); measured \(judgement.measured); \(judgement.verdict.rawValue)"
  }

  /// All of them as a table.
  static func table(_ record: EvaluationRecord) -> Table {
    Table(
      head: ["goal", "limit", "measured", ""],
      rows: all.map { goal in
        let judgement = goal.judgement(of: record)
        return [
          goal.name, goal.limit, judgement?.measured ?? "not measured",
          judgement?.verdict.rawValue ?? "",
        ]
      })
  }

  /// Those of the whole evaluation. Medians are compared.
  package static let all: [Goal] = [
    ratio("total time to the ideal's at 1 Gbit/s", .leafcutter, to: .ideal, within: 0...1.15),
    ratio(
      "the same at 100 Mbit/s, to an emulated guest what 1 to 2 Gbit/s are to a real one",
      .leafcutter, to: .ideal, link: "100mbit", within: 0...1.15),
    ratio(
      "pre-copy's total time to Leafcutter's at 1 Gbit/s", .precopy, to: .leafcutter,
      within: 2.5 ... .infinity),
    ratio(
      "post-copy's total time to Leafcutter's at 1 Gbit/s", .postcopy, to: .leafcutter,
      within: 2.5 ... .infinity),
    fastest(link: link), fastest(link: "10gbit"), refault,
  ]

  /// The share of the guest's memory in the cache, in per cent, and the wire at which methods are compared.
  package static let share = 50
  package static let link = "1gbit"

  /// Whether a goal at ``link``, or that of the refault, needs a run of this kind, whatever the others are: where
  /// there is to be one only, it is worth its time again when others have disturbed it.
  package static func isJudged(by run: Run) -> Bool {
    switch (run.experiment, run.method) {
    case (.methods, .leafcutter), (.methods, .ideal), (.methods, .precopy), (.methods, .postcopy):
      run.conditions.link == link && run.conditions.cacheShare == share
    case (.service, .leafcutter), (.service, .leafcutterNoRefault): true
    default: false
    }
  }

  private static func ratio(
    _ name: String, _ method: Method, to other: Method, link: String = link,
    within limits: ClosedRange<Double>
  ) -> Goal {
    let limit =
      limits.upperBound == .infinity
      ? "at least \(limits.lowerBound.text(digits: 2))"
      : "at most \(limits.upperBound.text(digits: 2))"
    return Goal(name: name, limit: limit) { record in
      let runs = record.countedRuns(of: .methods).at(Point(link: link, share: share))
      guard let ratio = Ratio(runs.of(method), to: runs.of(other), of: { $0[.total] }) else {
        return nil
      }
      return Judgement(
        measured: "\(ratio.ofMedians.text(digits: 2)) (\(ratio.values.median.text(digits: 2)) s, "
          + "\(ratio.bases.median.text(digits: 2)) s); \(ratio.pairsText)",
        verdict: Verdict(ratio, within: limits))
    }
  }

  /// Plain Leafcutter against the fastest rival; Leafcutter's other ways are named beside it, and not
  /// judged.
  private static func fastest(link: String) -> Goal {
    Goal(
      name: "not slower than any rival at \(Point.title(ofLink: link))",
      limit: "at most 1.00 of the fastest"
    ) { record in
      let runs = record.countedRuns(of: .methods).at(Point(link: link, share: share))
      func median(_ method: Method) -> Double? { runs.of(method).distribution(of: .total)?.median }
      let rivals = runs.methods.filter { $0.isRival && median($0) != nil }
      let first = rivals.min { (median($0) ?? .infinity) < (median($1) ?? .infinity) }
      guard let first,
        let ratio = Ratio(runs.of(.leafcutter), to: runs.of(first), of: { $0[.total] })
      else { return nil }
      let others = runs.methods.filter { $0.usesLeafcutter && $0 != .leafcutter }.compactMap {
        method in median(method).map { "\(method.title): \($0.text(digits: 2)) s" }
      }
      let beside = others.isEmpty ? "" : " [\(others.joined(separator: "; "))]"
      return Judgement(
        measured: "\(ratio.ofMedians.text(digits: 2)) (\(ratio.values.median.text(digits: 2)) s, "
          + "\(first.title): \(ratio.bases.median.text(digits: 2)) s); \(ratio.pairsText)\(beside)",
        verdict: Verdict(ratio, within: 0...1))
    }
  }

  private static let refault = Goal(
    name: "time to 90 % of the operations, slow storage, with refault to without",
    limit: "at most 0.50"
  ) { record in
    let with = record.countedRuns(of: .service, .leafcutter)
    let without = record.countedRuns(of: .service, .leafcutterNoRefault)
    guard let ratio = Ratio(with, to: without, of: \.secondsTo90OrObserved) else { return nil }
    let back = [with, without].map { runs in
      "\(runs.count { $0[.secondsTo90] != nil }) of \(runs.count)"
    }
    return Judgement(
      measured: "\(ratio.ofMedians.text(digits: 2)) (\(ratio.values.median.text(digits: 1)) s, "
        + "\(ratio.bases.median.text(digits: 1)) s; back in \(back[0]), \(back[1])); "
        + ratio.pairsText,
      verdict: Verdict(ratio, within: 0...0.5))
  }
}
