import Lab

/// Groups of horizontal bars, each the median of some runs, with a line from the lowest to the highest.
public struct BarChart: Sendable {
  public struct Bar: Sendable {
    public var label: String
    /// One for each series; nil where nothing was measured.
    public var values: [Distribution?]

    public init(label: String, values: [Distribution?]) {
      self.label = label
      self.values = values
    }
  }

  public var title: String
  /// What is measured, with its unit.
  public var axis: String
  public var series: [String]
  public var bars: [Bar]

  public init(title: String, axis: String, series: [String], bars: [Bar]) {
    self.title = title
    self.axis = axis
    self.series = series
    self.bars = bars
  }

  private static let left = 190.0
  private static let right = 690.0
  private static let top = 60.0
  private static let thickness = 12.0
  private static let gap = 8.0

  public func drawn() -> SVGDrawing {
    let group = BarChart.thickness * Double(series.count) + BarChart.gap
    let bottom = BarChart.top + group * Double(bars.count)
    var drawing = SVGDrawing(width: 720, height: bottom + 44)
    drawing.text(title, 12, 22, isTitle: true)
    let scale = Scale(
      .linear, covering: bars.flatMap { $0.values.compactMap { $0?.most } }, from: BarChart.left,
      to: BarChart.right)
    for tick in scale.ticks {
      drawing.line(scale.place(tick), BarChart.top - 4, scale.place(tick), bottom)
      drawing.text(scale.text(of: tick), scale.place(tick), bottom + 16, .middle)
    }
    drawing.text(axis, (BarChart.left + BarChart.right) / 2, bottom + 34, .middle)
    for (row, bar) in bars.enumerated() {
      let y = BarChart.top + group * Double(row)
      drawing.text(
        bar.label, BarChart.left - 8, y + (group - BarChart.gap) / 2 + 4, .end)
      for (number, value) in bar.values.enumerated() {
        guard let value else { continue }
        let place = y + BarChart.thickness * Double(number)
        drawing.bar(
          BarChart.left, place, width: scale.place(value.median) - BarChart.left,
          height: BarChart.thickness - 2, colour: colour(number))
        let middle = place + BarChart.thickness / 2 - 1
        drawing.line(
          scale.place(value.least), middle, scale.place(value.most), middle, colour: "#8c959f",
          width: 2)
      }
    }
    if series.count > 1 { legend(&drawing) }
    return drawing
  }

  private func legend(_ drawing: inout SVGDrawing) {
    var x = BarChart.left
    for (number, name) in series.enumerated() {
      drawing.bar(x, 34, width: 12, height: 12, colour: colour(number))
      drawing.text(name, x + 17, 44)
      x += 40 + 7 * Double(name.count)
    }
  }

  private func colour(_ number: Int) -> String {
    SVGDrawing.colours[number % SVGDrawing.colours.count]
  }
}
