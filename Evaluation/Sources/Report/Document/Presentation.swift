import Lab

/// What is made of raw data: parts of the document and drawings, by their names.
public struct Presentation: Sendable {
  public var parts: [(name: String, text: String)] = []
  public var drawings: [(name: String, drawing: SVGDrawing)] = []

  /// - Throws: where runs of one experiment are not comparable.
  public init(_ record: EvaluationRecord) throws(LabError) {
    try record.requireComparableRuns()
    let machine = record.machine.sorted { $0.key < $1.key }
    parts.append(
      ("machine", Table(head: ["", ""], rows: machine.map { [$0.key, $0.value] }).text))
    parts.append(("goals", Goal.table(record).text))
    addMemory(record)
    addMethods(record)
    addCosts(record)
    addWorkloads(record)
    addService(record)
  }

  static func linkTitle(_ link: String) -> String {
    switch link {
    case "1gbit": "1 Gbit/s"
    case "10gbit": "10 Gbit/s"
    default: link
    }
  }

  private mutating func addMemory(_ record: EvaluationRecord) {
    let groups = Dictionary(grouping: record.runs(of: .memory), by: \.conditions.documents)
      .sorted { $0.key < $1.key }
    let figures: [(Figure, String)] = [
      (.cacheUsed, "WiredTiger's cache"), (.pageCache, "page cache"), (.rest, "the rest"),
      (.free, "free"),
    ]
    let rows = groups.map { documents, runs in
      ["\(documents)", Table.cell(runs.distribution(of: .database), divisor: 1e6, digits: 0)]
        + figures.map { Table.cell(runs.distribution(of: $0.0), divisor: 1e6, digits: 0) }
    }
    parts.append(
      (
        "memory",
        Table(head: ["documents", "table files, MB"] + figures.map { "\($0.1), MB" }, rows: rows)
          .text
      ))
    guard !groups.isEmpty else { return }
    let columns = groups.map { _, runs in
      StackChart.Column(
        label: runs.distribution(of: .database).map { ($0.median / 1e6).text(digits: 0) } ?? "?",
        values: figures.map { (runs.distribution(of: $0.0)?.median ?? 0) / 1e6 })
    }
    drawings.append(
      (
        "memory",
        StackChart(
          title: "What a guest's memory holds", horizontal: "table files, MB", vertical: "MB",
          parts: figures.map(\.1), columns: columns
        ).drawn()
      ))
  }

  private mutating func addWorkloads(_ record: EvaluationRecord) {
    struct Key: Hashable {
      var mix: String
      var keys: String
      var method: Method
    }
    let mixes = ["C": "read only", "B": "5 % updates", "A": "50 % updates"]
    let runs = record.runs(of: .workloads)
    let keys = ["C", "B", "A"].flatMap { mix in
      ["uniform", "zipfian"].flatMap { keys in
        Method.allCases.map { Key(mix: mix, keys: keys, method: $0) }
      }
    }
    func matching(_ key: Key) -> [Run] {
      runs.filter {
        $0.conditions.mix == key.mix && $0.conditions.keys == key.keys && $0.method == key.method
      }
    }
    let rows = keys.filter { !matching($0).isEmpty }.map { key in
      let all = matching(key)
      let completed = all.filter { $0[.converged] == 1 }
      return [
        mixes[key.mix] ?? key.mix, key.keys, key.method.title,
        "\(completed.count) of \(all.count)",
        Table.cell(all.distribution(of: .total), digits: 1),
        Table.cell(all.distribution(of: .wireBytes), divisor: 1e6, digits: 0),
        Table.cell(all.distribution(of: .rounds), digits: 0),
        Table.cell(completed.distribution(of: .downtimeClient), digits: 0),
        Table.cell(completed.distribution(of: .operationsBefore), digits: 0),
        Table.cell(completed.distribution(of: .operationsDuring), digits: 0),
      ]
    }
    let head = [
      "workload", "keys", "", "converged", "total, s", "sent, MB", "rounds", "downtime, ms",
      "ops/s before", "during",
    ]
    parts.append(("workloads", Table(head: head, rows: rows).text))
    let methods = Method.allCases.filter { method in runs.contains { $0.method == method } }
    let bars = ["C", "B", "A"].flatMap { mix in
      ["uniform", "zipfian"].compactMap { keys -> BarChart.Bar? in
        let values = methods.map {
          matching(Key(mix: mix, keys: keys, method: $0)).distribution(of: .total)
        }
        guard values.contains(where: { $0 != nil }) else { return nil }
        return BarChart.Bar(label: "\(mixes[mix] ?? mix), \(keys)", values: values)
      }
    }
    guard !bars.isEmpty else { return }
    drawings.append(
      (
        "workloads",
        BarChart(
          title: "Total time while clients ask as fast as they are answered",
          axis: "s, 1 Gbit/s, cancelled at 60", series: methods.map(\.title), bars: bars
        ).drawn()
      ))
  }
}
