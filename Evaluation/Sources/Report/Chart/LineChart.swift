/// Lines over a common axis, with a spread at each point where there is one.
public struct LineChart: Sendable {
  public struct Point: Sendable {
    public var x: Double
    public var y: Double
    /// The lowest and the highest of some runs.
    public var spread: ClosedRange<Double>?

    public init(x: Double, y: Double, spread: ClosedRange<Double>? = nil) {
      self.x = x
      self.y = y
      self.spread = spread
    }
  }

  public struct Line: Sendable {
    public var name: String
    public var points: [Point]
    public var hasDots: Bool

    public init(name: String, points: [Point], hasDots: Bool = true) {
      self.name = name
      self.points = points
      self.hasDots = hasDots
    }
  }

  public var title: String
  /// What the axes mean, with their units.
  public var horizontal: String
  public var vertical: String
  public var kind = Scale.Kind.linear
  public var lines: [Line]

  public init(
    title: String, horizontal: String, vertical: String, kind: Scale.Kind = .linear, lines: [Line]
  ) {
    self.title = title
    self.horizontal = horizontal
    self.vertical = vertical
    self.kind = kind
    self.lines = lines
  }

  private static let left = 70.0
  private static let right = 510.0
  private static let top = 50.0
  private static let bottom = 320.0

  public func drawn() -> SVGDrawing {
    var drawing = SVGDrawing(width: 720, height: LineChart.bottom + 46)
    let points = lines.flatMap(\.points)
    let across = Scale(
      .linear, covering: points.map(\.x), from: LineChart.left, to: LineChart.right,
      beginning: min(0, points.map(\.x).min() ?? 0))
    let up = Scale(
      kind, covering: points.map { max($0.y, $0.spread?.upperBound ?? $0.y) },
      from: LineChart.bottom, to: LineChart.top)
    drawing.text(title, 12, 22, isTitle: true)
    drawing.text(vertical, 12, 42)
    for tick in up.ticks {
      drawing.line(LineChart.left, up.place(tick), LineChart.right, up.place(tick))
      drawing.text(up.text(of: tick), LineChart.left - 6, up.place(tick) + 4, .end)
    }
    for tick in across.ticks {
      drawing.line(across.place(tick), LineChart.bottom, across.place(tick), LineChart.bottom + 4)
      drawing.text(across.text(of: tick), across.place(tick), LineChart.bottom + 18, .middle)
    }
    drawing.text(
      horizontal, (LineChart.left + LineChart.right) / 2, LineChart.bottom + 38, .middle)
    for (number, line) in lines.enumerated() {
      draw(line, SVGDrawing.colours[number % SVGDrawing.colours.count], across, up, &drawing)
      let y = LineChart.top + 6 + 20 * Double(number)
      let colour = SVGDrawing.colours[number % SVGDrawing.colours.count]
      drawing.bar(LineChart.right + 16, y - 2, width: 14, height: 4, colour: colour)
      drawing.text(line.name, LineChart.right + 36, y + 4)
    }
    return drawing
  }

  private func draw(
    _ line: Line, _ colour: String, _ across: Scale, _ up: Scale, _ drawing: inout SVGDrawing
  ) {
    drawing.path(line.points.map { (across.place($0.x), up.place($0.y)) }, colour: colour)
    guard line.hasDots else { return }
    for point in line.points {
      let x = across.place(point.x)
      drawing.dot(x, up.place(point.y), colour: colour)
      guard let spread = point.spread else { continue }
      drawing.line(
        x, up.place(spread.lowerBound), x, up.place(spread.upperBound), colour: colour)
    }
  }
}
