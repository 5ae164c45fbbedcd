import Lab

/// Groups of horizontal bars, each the median of some runs, with a whisker from the lowest to the highest.
struct BarChart {
  struct Bar {
    var label: String
    /// One for each series; nil where nothing was measured.
    var values: [Distribution?]
  }

  var title: String
  /// What is measured, with its unit.
  var axis: String
  var series: [String]
  var bars: [Bar]

  private static let thickness = 12.0

  func drawn() -> SVGDrawing {
    let frame = BarFrame(
      title: title, axis: axis, legend: series.count > 1 ? series : [],
      labels: bars.map(\.label), thickness: BarChart.thickness * Double(series.count),
      covering: bars.flatMap { $0.values.compactMap { $0?.most } })
    var drawing = frame.drawn()
    for (row, bar) in bars.enumerated() {
      for (number, value) in bar.values.enumerated() {
        guard let value else { continue }
        let top = frame.top(ofRow: row) + BarChart.thickness * Double(number)
        drawing.bar(
          frame.left, top, width: frame.scale.place(value.median) - frame.left,
          height: BarChart.thickness - 2, colour: SVGDrawing.colour(number))
        guard value.count > 1 else { continue }
        let middle = top + BarChart.thickness / 2 - 1
        drawing.whisker(
          .init(frame.scale.place(value.least), middle),
          .init(frame.scale.place(value.most), middle))
      }
    }
    return drawing
  }
}
