import Lab

/// What busy clients ask for: YCSB's letter and how popular documents are.
struct Workload: Hashable {
  var mix: String
  var keys: String

  /// In the order in which they are shown.
  static let all = ["C", "B", "A"].flatMap { mix in
    ["uniform", "zipfian"].map { Workload(mix: mix, keys: $0) }
  }

  var title: String { "\(mixTitle), \(keys)" }

  var mixTitle: String {
    switch mix {
    case "C": "read only"
    case "B": "5 % updates"
    case "A": "50 % updates"
    default: mix
    }
  }
}

extension Presentation {
  mutating func addWorkloads(_ record: EvaluationRecord) {
    let total = FigureColumn("total, s", .total, digits: 1)
    let columns = [
      total,
      FigureColumn("sent, MB", .wireBytes, divisor: 1e6),
      FigureColumn("rounds", .rounds),
      FigureColumn("downtime, ms", .downtimeClient),
      FigureColumn("ops/s before", .operationsBefore),
      FigureColumn("during", .operationsDuring),
      FigureColumn("after", .operationsAfter),
    ]
    let runs = record.undisturbedRuns(of: .workloads)
    func under(_ workload: Workload) -> [Run] {
      runs.filter { $0.conditions.mix == workload.mix && $0.conditions.keys == workload.keys }
    }
    let measured = Workload.all.filter { !under($0).isEmpty }
    let rows = measured.flatMap { workload in
      under(workload).methods.map { method in
        let mine = under(workload).of(method)
        return [
          workload.mixTitle, workload.keys, method.title,
          "\(mine.converged.count) of \(mine.count)",
        ] + Table.row(of: mine, columns)
      }
    }
    let head = ["workload", "keys", "", "converged"] + columns.map(\.title)
    add("workloads", Table(head: head, rows: rows))
    guard !runs.converged.isEmpty else { return }
    let bars = measured.map { workload in
      BarChart.Bar(
        label: workload.title,
        values: runs.methods.map { total.distribution(over: under(workload).of($0)) })
    }
    let title = "Total time while clients ask as fast as they are answered"
    let chart = BarChart(
      title: title, axis: "s, 1 Gbit/s; no bar where none converged",
      series: runs.methods.map(\.title), bars: bars)
    add(Drawing(.workloads, title, chart.drawn()))
  }
}
