import Lab

extension Presentation {
  /// What is shown of every method at every point.
  private struct Aspect {
    /// The drawing's, and by its name the table's.
    var subject: Drawing.Subject
    /// The drawing's.
    var title: String
    var column: FigureColumn
  }

  private static let aspects = [
    Aspect(
      subject: .total, title: "Total time, half of the guest's memory in the cache",
      column: FigureColumn("s", .total, digits: 2)),
    Aspect(
      subject: .bytes, title: "Sent, half of the guest's memory in the cache",
      column: FigureColumn("MB", .wireBytes, divisor: 1e6)),
    Aspect(
      subject: .downtime, title: "Downtime by the heartbeat, half of the memory in the cache",
      column: FigureColumn("ms", .downtimeClient)),
  ]

  mutating func addMethods(_ record: EvaluationRecord) {
    let runs = record.undisturbedRuns(of: .methods)
    let points = Point.all(of: runs)
    for aspect in Presentation.aspects {
      let rows = runs.methods.map { method in
        [aspect.subject == .total ? Table.name(of: method, runs.of(method)) : method.title]
          + points.map { aspect.column.cellNamingUnconverged(runs.of(method).at($0)) }
      }
      add(
        aspect.subject.rawValue,
        Table(head: [""] + Presentation.titles(of: points, runs), rows: rows))
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

  /// With what was left of the cache, where that is not the same at all of them.
  private static func titles(of points: [Point], _ runs: [Run]) -> [String] {
    let left = points.map { runs.at($0).lazy.compactMap(\.conditions.smallCache).first }
    guard Set(left.compactMap { $0 }).count > 1 else { return points.map(\.title) }
    return zip(points, left).map { point, left in
      left.map { "\(point.title) (small cache \($0) MiB)" } ?? point.title
    }
  }

  private mutating func drawBars(_ aspect: Aspect, _ runs: [Run], at points: [Point]) {
    let bars = runs.methods.map { method in
      BarChart.Bar(
        label: method.title,
        values: points.map { aspect.column.distribution(over: runs.of(method).at($0)) })
    }
    let chart = BarChart(
      title: aspect.title, axis: aspect.column.title,
      series: points.map { Point.title(ofLink: $0.link) }, bars: bars)
    add(Drawing(aspect.subject, aspect.title, chart.drawn()))
  }

  private mutating func drawLines(_ runs: [Run], over link: String, at points: [Point]) {
    let lines = runs.methods.compactMap { method -> LineChart.Line? in
      let places = points.compactMap { point -> LineChart.Point? in
        runs.of(method).at(point).converged.distribution(of: .total).map {
          LineChart.Point(x: Double(point.share), $0)
        }
      }
      // One place is no line, and the bars have it.
      guard places.count > 1 else { return nil }
      return LineChart.Line(
        name: method.title, kind: .points, isDashed: method.isRival, points: places)
    }
    let title = "Total time against cache size, \(Point.title(ofLink: link))"
    let chart = LineChart(
      title: title, horizontal: "memory in the cache, %", vertical: "s", lines: lines)
    add(Drawing(.total, link: link, title, chart.drawn()))
  }
}

extension LineChart.Point {
  /// The median of some runs, with lowest and highest where there are several.
  init(x: Double, _ values: Distribution) {
    self.init(
      x: x, y: values.median, spread: values.count > 1 ? values.least...values.most : nil)
  }
}
