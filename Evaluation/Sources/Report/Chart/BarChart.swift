import Lab

/// Groups of horizontal bars, each the median of some runs, with a whisker from the lowest to the highest.
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

  private static let thickness = 12.0

  public func drawn() -> SVGDrawing {
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
          BarFrame.left, top, width: frame.scale.place(value.median) - BarFrame.left,
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
