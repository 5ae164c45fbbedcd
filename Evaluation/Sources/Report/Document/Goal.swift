import Lab

/// What the evaluation has to show. A goal that is missed is said, and nothing fails for it.
public struct Goal: Sendable {
  /// In words.
  public let name: String
  /// The limit in words.
  public let limit: String
  /// What was measured in words and whether that is within the limit; nil where it was not measured.
  let judge: @Sendable (EvaluationRecord) -> (measured: String, isMet: Bool)?

  public func line(in record: EvaluationRecord) -> String {
    guard let (measured, isMet) = judge(record) else {
      return "goal \(name): \(limit); not measured"
    }
    return "goal \(name): \(limit); measured \(measured); \(isMet ? "met" : "missed")"
  }

  /// All of them as a table.
  public static func table(_ record: EvaluationRecord) -> Table {
    Table(
      head: ["goal", "limit", "measured", ""],
      rows: all.map { goal in
        let result = goal.judge(record)
        return [
          goal.name, goal.limit, result?.measured ?? "not measured",
          result.map { $0.isMet ? "met" : "missed" } ?? "",
        ]
      })
  }

  /// Medians are compared.
  public static let all: [Goal] = [
    ratio("total time to the ideal's at 1 Gbit/s", .leafcutter, to: .ideal, atMost: 1.15),
    ratio(
      "pre-copy's total time to Leafcutter's at 1 Gbit/s", .precopy, to: .leafcutter, atLeast: 2.5),
    ratio(
      "post-copy's total time to Leafcutter's at 1 Gbit/s", .postcopy, to: .leafcutter, atLeast: 2.5
    ),
    fastest(link: "1gbit"), fastest(link: "10gbit"), refault,
  ]

  /// The share of the guest's memory in the cache at which methods are compared.
  static let share = 50

  private static func median(
    _ record: EvaluationRecord, _ method: Method, _ figure: Figure = .total, link: String = "1gbit"
  ) -> Double? {
    record.runs(of: .methods, method)
      .filter { $0.conditions.cacheShare == share && $0.conditions.link == link }
      .distribution(of: figure)?.median
  }

  private static func ratio(
    _ name: String, _ method: Method, to other: Method, atMost: Double = .infinity,
    atLeast: Double = 0
  ) -> Goal {
    let limit =
      atLeast > 0 ? "at least \(atLeast.text(digits: 2))" : "at most \(atMost.text(digits: 2))"
    return Goal(name: name, limit: limit) { record in
      guard let value = median(record, method), let base = median(record, other) else { return nil }
      let ratio = value / base
      return (
        "\(ratio.text(digits: 2)) (\(value.text(digits: 2)) s, \(base.text(digits: 2)) s)",
        ratio <= atMost && ratio >= atLeast
      )
    }
  }

  /// Leafcutter's fastest way against the fastest rival.
  private static func fastest(link: String) -> Goal {
    Goal(name: "not slower than any rival at \(link)", limit: "at most 1.00 of the fastest") {
      record in
      func best(_ methods: [Method]) -> (method: Method, seconds: Double)? {
        methods.compactMap { method in
          median(record, method, link: link).map { (method, $0) }
        }.min { $0.1 < $1.1 }
      }
      guard let ours = best([.leafcutter, .leafcutterPostcopy, .leafcutterMultifd]),
        let theirs = best(Method.allCases.filter(\.isRival))
      else { return nil }
      let ratio = ours.seconds / theirs.seconds
      return (
        "\(ratio.text(digits: 2)) (\(ours.method.title) \(ours.seconds.text(digits: 2)) s, "
          + "\(theirs.method.title) \(theirs.seconds.text(digits: 2)) s)", ratio <= 1
      )
    }
  }

  private static let refault = Goal(
    name: "time to 90 % of the operations, with refault to without", limit: "at most 0.50"
  ) { record in
    let with = record.runs(of: .service, .leafcutter).timesTo90
    let without = record.runs(of: .service, .leafcutterNoRefault).timesTo90
    guard let with, let without else { return nil }
    let ratio = with.median / without.median
    return (
      "\(ratio.text(digits: 2)) (\(with.median.text(digits: 1)) s, \(without.median.text(digits: 1)) s)",
      ratio <= 0.5
    )
  }
}

extension [Run] {
  /// A run in which 90 % were not reached again counts with the time for which it was observed, which
  /// is too little.
  var timesTo90: Distribution? {
    Distribution(compactMap { $0[.secondsTo90] ?? $0[.observedAfter] })
  }
}
