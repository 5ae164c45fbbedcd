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

  private static let total = Aspect(
    subject: .total, title: "Total time, half of the guest's memory in the cache",
    column: FigureColumn("s", .total, digits: 2))

  private static let aspects = [
    total,
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
    let slow = Presentation.slow(among: compared, runs)
    for aspect in Presentation.aspects where !compared.isEmpty {
      let together = aspect.subject == .total ? compared.filter { !slow.contains($0) } : compared
      add(
        Drawing(
          aspect.subject, aspect.title,
          Presentation.bars(aspect, titled: aspect.title, runs, at: together)))
    }
    let links = Dictionary(grouping: points, by: \.link).sorted { $0.key < $1.key }
    for (link, points) in links {
      if points.count > 1 {
        drawLines(runs, over: link, at: points)
      } else if slow.contains(points[0]) {
        drawBars(runs, over: link, at: points[0])
      }
    }
  }

  /// Those at which everything takes so long that beside them nothing would be seen of the others.
  private static func slow(among points: [Point], _ runs: [Run]) -> [Point] {
    func longest(_ point: Point) -> Double {
      runs.methods.compactMap { runs.of($0).at(point).distribution(of: .total)?.median }.max() ?? 0
    }
    guard let usual = points.first(where: { $0.link == Goal.link }).map(longest) else { return [] }
    return points.filter { longest($0) > 4 * usual }
  }

  /// With what was left of the cache, where that is not the same at all of them.
  private static func titles(of points: [Point], _ runs: [Run]) -> [String] {
    let left = points.map { runs.at($0).lazy.compactMap(\.conditions.smallCache).first }
    guard Set(left.compactMap { $0 }).count > 1 else { return points.map(\.title) }
    return zip(points, left).map { point, left in
      left.map { "\(point.title) (small cache \($0) MiB)" } ?? point.title
    }
  }

  private static func bars(
    _ aspect: Aspect, titled title: String, _ runs: [Run], at points: [Point]
  ) -> SVGDrawing {
    let bars = runs.methods.map { method in
      BarChart.Bar(
        label: method.title,
        values: points.map { aspect.column.distribution(over: runs.of(method).at($0)) })
    }
    return BarChart(
      title: title, axis: aspect.column.title,
      series: points.map { Point.title(ofLink: $0.link) }, bars: bars
    ).drawn()
  }

  /// Of the methods that were tried there.
  private mutating func drawBars(_ runs: [Run], over link: String, at point: Point) {
    let title = "Total time, \(point.title) of the guest's memory in the cache"
    let chart = Presentation.bars(
      Presentation.total, titled: title, runs.at(point), at: [point])
    add(Drawing(.total, link: link, title, chart))
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
