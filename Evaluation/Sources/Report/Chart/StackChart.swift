import Lab

/// Horizontal bars of which each is made of parts, one after the other.
struct StackChart {
  struct Bar {
    var label: String
    /// Medians from the left, one for each part.
    var values: [Double]
    /// How the sum lies over the runs; nil where that needs no whisker.
    var sum: Distribution?
  }

  var title: String
  /// What is measured, with its unit.
  var axis: String
  var parts: [String]
  var bars: [Bar]

  private static let thickness = 16.0

  func drawn() -> SVGDrawing {
    let frame = BarFrame(
      title: title, axis: axis, legend: parts, labels: bars.map(\.label),
      thickness: StackChart.thickness,
      covering: bars.map { max($0.values.reduce(0, +), $0.sum?.most ?? 0) })
    var drawing = frame.drawn()
    for (row, bar) in bars.enumerated() {
      let top = frame.top(ofRow: row)
      var sum = 0.0
      for (part, value) in bar.values.enumerated() where value > 0 {
        let begin = frame.scale.place(sum)
        sum += value
        drawing.bar(
          begin, top, width: frame.scale.place(sum) - begin, height: StackChart.thickness,
          colour: SVGDrawing.colour(part))
      }
      guard let spread = bar.sum, spread.count > 1 else { continue }
      let middle = top + StackChart.thickness / 2
      drawing.whisker(
        .init(frame.scale.place(spread.least), middle),
        .init(frame.scale.place(spread.most), middle))
    }
    return drawing
  }
}
