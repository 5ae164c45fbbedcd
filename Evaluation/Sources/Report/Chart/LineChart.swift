/// Lines over a common axis, with whiskers or a band from the lowest to the highest of some runs.
public struct LineChart: Sendable {
  public struct Point: Sendable {
    public var x: Double
    public var y: Double
    /// The lowest and the highest of some runs; nil where there is one.
    public var spread: ClosedRange<Double>?

    public init(x: Double, y: Double, spread: ClosedRange<Double>? = nil) {
      self.x = x
      self.y = y
      self.spread = spread
    }
  }

  public struct Line: Sendable {
    /// How its points are shown.
    public enum Kind: Sendable {
      /// Measured at few places: dots with whiskers.
      case points
      /// Measured all along: a band.
      case course
    }

    public var name: String
    public var kind: Kind
    public var isDashed: Bool
    public var points: [Point]

    public init(name: String, kind: Kind, isDashed: Bool = false, points: [Point]) {
      self.name = name
      self.kind = kind
      self.isDashed = isDashed
      self.points = points
    }
  }

  public var title: String
  /// What the axes mean, with their units.
  public var horizontal: String
  public var vertical: String
  public var kind = Scale.Kind.linear
  /// Where on the horizontal axis something happens.
  public var event: Double?
  public var lines: [Line]

  public init(
    title: String, horizontal: String, vertical: String, kind: Scale.Kind = .linear,
    event: Double? = nil, lines: [Line]
  ) {
    self.title = title
    self.horizontal = horizontal
    self.vertical = vertical
    self.kind = kind
    self.event = event
    self.lines = lines
  }

  private static let left = 70.0
  private static let right = 510.0
  private static let top = 50.0
  private static let legendStep = 20.0

  private var bottom: Double {
    max(320, LineChart.top + LineChart.legendStep * Double(lines.count))
  }

  public func drawn() -> SVGDrawing {
    var drawing = SVGDrawing(width: 720, height: bottom + 46)
    let points = lines.flatMap(\.points)
    let across = Scale(
      .linear, covering: points.map(\.x), from: LineChart.left, to: LineChart.right,
      beginning: min(0, points.map(\.x).min() ?? 0))
    let up = Scale(
      kind,
      covering: points.flatMap { point in
        [point.y] + (point.spread.map { [$0.lowerBound, $0.upperBound] } ?? [])
      },
      from: bottom, to: LineChart.top)
    draw(across, up, &drawing)
    let colours = lines.indices.map(colour)
    for (line, colour) in zip(lines, colours) where line.kind == .course {
      drawing.band(band(of: line, across, up), colour: colour)
    }
    if let event {
      let x = across.place(event)
      drawing.mark(.init(x, LineChart.top), .init(x, bottom))
    }
    for (number, line) in lines.enumerated() {
      draw(line, colours[number], across, up, &drawing)
      let y = LineChart.top + 6 + LineChart.legendStep * Double(number)
      drawing.path(
        [.init(LineChart.right + 12, y), .init(LineChart.right + 32, y)], colour: colours[number],
        isDashed: line.isDashed)
      drawing.text(line.name, LineChart.right + 38, y + 4)
    }
    return drawing
  }

  /// Dashed lines have all colours, and the others again.
  private func colour(_ number: Int) -> String {
    SVGDrawing.colour(lines[..<number].count { $0.isDashed == lines[number].isDashed })
  }

  private func draw(_ across: Scale, _ up: Scale, _ drawing: inout SVGDrawing) {
    drawing.text(title, 12, 22, isTitle: true)
    drawing.text(vertical, 12, 42)
    for tick in up.ticks {
      let y = up.place(tick)
      drawing.line(.init(LineChart.left, y), .init(LineChart.right, y))
      drawing.text(up.text(of: tick), LineChart.left - 6, y + 4, .end)
    }
    for tick in across.ticks {
      let x = across.place(tick)
      drawing.line(.init(x, bottom), .init(x, bottom + 4))
      drawing.text(across.text(of: tick), x, bottom + 18, .middle)
    }
    drawing.text(horizontal, (LineChart.left + LineChart.right) / 2, bottom + 38, .middle)
  }

  /// Forth along the highest values and back along the lowest, over the points that have both.
  private func band(of line: Line, _ across: Scale, _ up: Scale) -> [SVGDrawing.Place] {
    guard line.points.contains(where: { $0.spread != nil }) else { return [] }
    let highest = line.points.map { point in
      SVGDrawing.Place(across.place(point.x), up.place(point.spread?.upperBound ?? point.y))
    }
    let lowest = line.points.map { point in
      SVGDrawing.Place(across.place(point.x), up.place(point.spread?.lowerBound ?? point.y))
    }
    return highest + lowest.reversed()
  }

  private func draw(
    _ line: Line, _ colour: String, _ across: Scale, _ up: Scale, _ drawing: inout SVGDrawing
  ) {
    drawing.path(
      line.points.map { .init(across.place($0.x), up.place($0.y)) }, colour: colour,
      isDashed: line.isDashed)
    guard line.kind == .points else { return }
    for point in line.points {
      let x = across.place(point.x)
      drawing.dot(x, up.place(point.y), colour: colour)
      guard let spread = point.spread else { continue }
      drawing.whisker(
        .init(x, up.place(spread.lowerBound)), .init(x, up.place(spread.upperBound)),
        colour: colour)
    }
  }
}
