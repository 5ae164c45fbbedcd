import Lab

extension Presentation {
  mutating func addService(_ record: EvaluationRecord) {
    let columns = [
      FigureColumn("after, s", digits: 1, value: \.secondsTo90OrObserved),
      FigureColumn("ops/s before", .operationsBefore),
      FigureColumn("during", .operationsDuring),
      FigureColumn("15 s after", .operationsAfter),
      FigureColumn("downtime, ms", .downtimeClient),
      FigureColumn("total, s", .total, digits: 1),
      FigureColumn("refault, s", .refault, digits: 1),
    ]
    let all = record.undisturbedRuns(of: .service)
    let rows = all.methods.map { method -> [String] in
      let mine = all.of(method)
      let back = mine.converged.filter { $0[.secondsTo90] != nil }.count
      return [Table.label(method, mine), "\(back) of \(mine.converged.count)"]
        + columns.map { $0.cell(mine) }
    }
    add("service", Table(head: ["", "back at 90 %"] + columns.map(\.title), rows: rows))
    let runs = all.converged
    guard !runs.isEmpty else { return }
    func lines(_ value: (Run.Stretch) -> Double) -> [LineChart.Line] {
      runs.methods.map { method in
        LineChart.Line(
          name: method.title, points: Presentation.medians(runs.of(method), value), hasDots: false)
      }
    }
    let throughput = "Operations per second around a migration"
    draw(
      "throughput", throughput,
      LineChart(
        title: throughput, horizontal: "s from the switchover",
        vertical: "operations per second", lines: lines(\.operationsPerSecond)
      ).drawn())
    let latency = "99th percentile of the latency around a migration"
    draw(
      "latency", latency,
      LineChart(
        title: latency, horizontal: "s from the switchover", vertical: "ms",
        kind: .logarithmic, lines: lines(\.p99)
      ).drawn())
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
