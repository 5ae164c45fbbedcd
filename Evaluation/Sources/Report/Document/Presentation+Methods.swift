import Lab

extension Presentation {
  /// What is shown of every method at every point.
  private struct Aspect {
    /// Of the table and of the drawing.
    var name: String
    /// The drawing's.
    var title: String
    var column: FigureColumn
  }

  private static let aspects = [
    Aspect(
      name: "total", title: "Total time, half of the guest's memory in the cache",
      column: FigureColumn("s", .total, digits: 2)),
    Aspect(
      name: "bytes", title: "Sent, half of the guest's memory in the cache",
      column: FigureColumn("MB", .wireBytes, divisor: 1e6)),
    Aspect(
      name: "downtime", title: "Downtime by the heartbeat, half of the memory in the cache",
      column: FigureColumn("ms", .downtimeClient)),
  ]

  mutating func addMethods(_ record: EvaluationRecord) {
    let runs = record.undisturbedRuns(of: .methods)
    let points = Point.all(of: runs)
    for aspect in Presentation.aspects {
      let rows = runs.methods.map { method in
        [method.title]
          + points.map { aspect.column.cellNamingUnconverged(runs.of(method).at($0)) }
      }
      add(aspect.name, Table(head: [""] + points.map(\.title), rows: rows))
    }
    let compared = points.filter { $0.share == Goal.share }
    if !compared.isEmpty {
      for aspect in Presentation.aspects { drawBars(aspect, runs, at: compared) }
    }
    let links = Dictionary(grouping: points, by: \.link).sorted { $0.key < $1.key }
    for (link, points) in links where points.count > 1 {
      drawLines(runs, over: link, at: points)
    }
  }

  private mutating func drawBars(_ aspect: Aspect, _ runs: [Run], at points: [Point]) {
    let bars = runs.methods.map { method in
      BarChart.Bar(
        label: method.title,
        values: points.map { aspect.column.distribution(over: runs.of(method).at($0)) })
    }
    draw(
      aspect.name, aspect.title,
      BarChart(
        title: aspect.title, axis: aspect.column.title,
        series: points.map { Point.title(ofLink: $0.link) }, bars: bars
      ).drawn())
  }

  private mutating func drawLines(_ runs: [Run], over link: String, at points: [Point]) {
    let lines = runs.methods.compactMap { method -> LineChart.Line? in
      let places = points.compactMap { point -> LineChart.Point? in
        runs.of(method).at(point).converged.distribution(of: .total).map {
          LineChart.Point(x: Double(point.share), $0)
        }
      }
      guard !places.isEmpty else { return nil }
      return LineChart.Line(
        name: method.title, kind: .points, isDashed: method.isRival, points: places)
    }
    let title = "Total time against cache size, \(Point.title(ofLink: link))"
    draw(
      "total-\(link)", title,
      LineChart(title: title, horizontal: "memory in the cache, %", vertical: "s", lines: lines)
        .drawn())
  }
}

extension LineChart.Point {
  /// The median of some runs, with lowest and highest where there are several.
  init(x: Double, _ values: Distribution) {
    self.init(
      x: x, y: values.median, spread: values.count > 1 ? values.least...values.most : nil)
  }
}
