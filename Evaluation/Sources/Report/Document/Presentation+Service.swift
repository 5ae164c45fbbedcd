import Lab

extension Presentation {
  mutating func addService(_ record: EvaluationRecord) {
    let runs = record.runs(of: .service)
    let methods = Method.allCases.filter { method in runs.contains { $0.method == method } }
    let rows = methods.map { method -> [String] in
      let mine = runs.filter { $0.method == method }
      let reached = mine.filter { $0[.secondsTo90] != nil }.count
      return [
        method.title, "\(reached) of \(mine.count)",
        Table.cell(mine.timesTo90, digits: 1),
        Table.cell(mine.distribution(of: .operationsBefore), digits: 0),
        Table.cell(mine.distribution(of: .operationsDuring), digits: 0),
        Table.cell(mine.distribution(of: .operationsAfter), digits: 0),
        Table.cell(mine.distribution(of: .downtimeClient), digits: 0),
        Table.cell(mine.distribution(of: .total), digits: 1),
        Table.cell(mine.distribution(of: .refault), digits: 1),
      ]
    }
    let head = [
      "", "back at 90 %", "after, s", "ops/s before", "during", "15 s after", "downtime, ms",
      "total, s", "refault, s",
    ]
    parts.append(("service", Table(head: head, rows: rows).text))
    guard !runs.isEmpty else { return }
    func lines(_ value: (Run.Stretch) -> Double) -> [LineChart.Line] {
      methods.map { method in
        LineChart.Line(
          name: method.title,
          points: Presentation.medians(runs.filter { $0.method == method }, value), hasDots: false)
      }
    }
    drawings.append(
      (
        "throughput",
        LineChart(
          title: "Operations per second around a migration",
          horizontal: "s from the switchover", vertical: "operations per second",
          lines: lines(\.operationsPerSecond)
        ).drawn()
      ))
    drawings.append(
      (
        "latency",
        LineChart(
          title: "99th percentile of the latency around a migration",
          horizontal: "s from the switchover", vertical: "ms", kind: .logarithmic,
          lines: lines(\.p99)
        ).drawn()
      ))
  }

  /// For each whole second from the switchover the median over the runs.
  static func medians(_ runs: [Run], _ value: (Run.Stretch) -> Double) -> [LineChart.Point] {
    var seconds: [Int: [Double]] = [:]
    for run in runs {
      for stretch in run.stretches ?? [] {
        seconds[Int(stretch.start.rounded(.down)), default: []].append(value(stretch))
      }
    }
    return seconds.sorted { $0.key < $1.key }.compactMap { second, values in
      Distribution(values).map { LineChart.Point(x: Double(second), y: $0.median) }
    }
  }
}
