/// Lines over a common axis, with whiskers or a band from the lowest to the highest of some runs.
struct LineChart {
  struct Point {
    var x: Double
    var y: Double
    /// The lowest and the highest of some runs; nil where there is one.
    var spread: ClosedRange<Double>?
  }

  struct Line {
    /// How its points are shown.
    enum Kind: Equatable {
      /// Measured at few places: dots with whiskers.
      case points
      /// Measured all along, once each step: a band. Where a step has no point the line has a gap.
      case course(step: Double)
    }

    var name: String
    var kind: Kind
    var isDashed = false
    /// From left to right.
    var points: [Point]

    /// Its points from gap to gap.
    var pieces: [[Point]] {
      guard case .course(let step) = kind else { return [points] }
      var pieces: [[Point]] = []
      for point in points {
        if let last = pieces.last?.last, point.x - last.x < 1.5 * step {
          pieces[pieces.count - 1].append(point)
        } else {
          pieces.append([point])
        }
      }
      return pieces
    }
  }

  var title: String
  /// What the axes mean, with their units.
  var horizontal: String
  var vertical: String
  var kind = Scale.Kind.linear
  /// Where on the horizontal axis something happens.
  var event: Double?
  var lines: [Line]

  private static let left = 70.0
  private static let right = 510.0
  /// Where the legend's names begin.
  private static let legend = right + 38
  private static let top = 50.0
  private static let legendStep = 20.0

  private var bottom: Double {
    max(320, LineChart.top + LineChart.legendStep * Double(lines.count))
  }

  /// The legend lies behind the axis.
  private var width: Double {
    let longest = lines.map { SVGDrawing.width(of: $0.name) }.max() ?? 0
    let texts = [SVGDrawing.width(of: title, isTitle: true), SVGDrawing.width(of: vertical)]
    return SVGDrawing.margin
      + max(LineChart.legend + longest, SVGDrawing.margin + (texts.max() ?? 0))
  }

  func drawn() -> SVGDrawing {
    var drawing = SVGDrawing(width: width, height: bottom + 46)
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
    for (line, colour) in zip(lines, colours) where line.kind != .points {
      for piece in line.pieces { drawing.band(band(over: piece, across, up), colour: colour) }
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
      drawing.text(line.name, LineChart.legend, y + 4)
    }
    return drawing
  }

  /// Dashed lines have all colours, and the others again.
  private func colour(_ number: Int) -> String {
    SVGDrawing.colour(lines[..<number].count { $0.isDashed == lines[number].isDashed })
  }

  private func draw(_ across: Scale, _ up: Scale, _ drawing: inout SVGDrawing) {
    drawing.text(title, SVGDrawing.margin, 22, isTitle: true)
    drawing.text(vertical, SVGDrawing.margin, 42)
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
  private func band(over points: [Point], _ across: Scale, _ up: Scale) -> [SVGDrawing.Place] {
    guard points.contains(where: { $0.spread != nil }) else { return [] }
    let highest = points.map { point in
      SVGDrawing.Place(across.place(point.x), up.place(point.spread?.upperBound ?? point.y))
    }
    let lowest = points.map { point in
      SVGDrawing.Place(across.place(point.x), up.place(point.spread?.lowerBound ?? point.y))
    }
    return highest + lowest.reversed()
  }

  private func draw(
    _ line: Line, _ colour: String, _ across: Scale, _ up: Scale, _ drawing: inout SVGDrawing
  ) {
    for piece in line.pieces {
      drawing.path(
        piece.map { .init(across.place($0.x), up.place($0.y)) }, colour: colour,
        isDashed: line.isDashed)
      // Between two gaps there is no line to be seen.
      guard line.kind == .points || piece.count == 1 else { continue }
      for point in piece { mark(point, colour, across, up, &drawing) }
    }
  }

  /// A dot, and a whisker where there were several runs.
  private func mark(
    _ point: Point, _ colour: String, _ across: Scale, _ up: Scale, _ drawing: inout SVGDrawing
  ) {
    let x = across.place(point.x)
    drawing.dot(x, up.place(point.y), colour: colour)
    guard let spread = point.spread else { return }
    drawing.whisker(
      .init(x, up.place(spread.lowerBound)), .init(x, up.place(spread.upperBound)),
      colour: colour)
  }
}
