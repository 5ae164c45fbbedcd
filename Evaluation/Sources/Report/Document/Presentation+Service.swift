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
      return [Table.label(method.title, mine), "\(back) of \(mine.converged.count)"]
        + Table.row(of: mine, columns)
    }
    add("service", Table(head: ["", "back at 90 %"] + columns.map(\.title), rows: rows))
    let runs = all.converged
    guard !runs.isEmpty else { return }
    draw(
      .throughput, "Operations per second around a migration", runs,
      vertical: "operations per second", .linear
    ) { $0.operationsPerSecond }
    // A second without an operation has no latency.
    draw(
      .latency, "Latency around a migration: highest p99 of a tenth of a second", runs,
      vertical: "ms, the highest p99 of the ten slots of 100 ms in each second", .logarithmic
    ) { $0.operationsPerSecond > 0 ? $0.p99 : nil }
  }

  private mutating func draw(
    _ subject: Drawing.Subject, _ title: String, _ runs: [Run], vertical: String,
    _ kind: Scale.Kind, value: (Run.Stretch) -> Double?
  ) {
    let lines = runs.methods.map { method in
      LineChart.Line(
        name: method.title, kind: .course(step: 1),
        points: Presentation.course(runs.of(method), value))
    }
    let chart = LineChart(
      title: title, horizontal: "s from the switchover", vertical: vertical, kind: kind, event: 0,
      lines: lines)
    add(Drawing(subject, title, chart.drawn()))
  }

  /// For each whole second from the switchover the median over the runs, with lowest and highest. A second
  /// in which half of the runs or more have no value has no point: the others' would hide the outage.
  static func course(_ runs: [Run], _ value: (Run.Stretch) -> Double?) -> [LineChart.Point] {
    var seconds: [Int: [Double?]] = [:]
    for run in runs {
      for stretch in run.stretches ?? [] {
        seconds[Int(stretch.start.rounded(.down)), default: []].append(value(stretch))
      }
    }
    return seconds.sorted { $0.key < $1.key }.compactMap { second, all in
      let values = all.compactMap { $0 }
      guard 2 * values.count > all.count else { return nil }
      return Distribution(values).map { LineChart.Point(x: Double(second), $0) }
    }
  }
}
