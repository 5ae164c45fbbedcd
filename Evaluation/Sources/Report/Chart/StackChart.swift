/// Columns of which each is made of parts, one upon the other.
public struct StackChart: Sendable {
  public struct Column: Sendable {
    public var label: String
    /// From the bottom, one for each part.
    public var values: [Double]

    public init(label: String, values: [Double]) {
      self.label = label
      self.values = values
    }
  }

  public var title: String
  public var horizontal: String
  public var vertical: String
  public var parts: [String]
  public var columns: [Column]

  public init(
    title: String, horizontal: String, vertical: String, parts: [String], columns: [Column]
  ) {
    self.title = title
    self.horizontal = horizontal
    self.vertical = vertical
    self.parts = parts
    self.columns = columns
  }

  private static let left = 70.0
  private static let right = 510.0
  private static let top = 50.0
  private static let bottom = 320.0

  public func drawn() -> SVGDrawing {
    var drawing = SVGDrawing(width: 720, height: StackChart.bottom + 46)
    let up = Scale(
      .linear, covering: columns.map { $0.values.reduce(0, +) }, from: StackChart.bottom,
      to: StackChart.top)
    drawing.text(title, 12, 22, isTitle: true)
    drawing.text(vertical, 12, 42)
    for tick in up.ticks {
      drawing.line(StackChart.left, up.place(tick), StackChart.right, up.place(tick))
      drawing.text(up.text(of: tick), StackChart.left - 6, up.place(tick) + 4, .end)
    }
    let room = (StackChart.right - StackChart.left) / Double(max(1, columns.count))
    for (number, column) in columns.enumerated() {
      let middle = StackChart.left + room * (Double(number) + 0.5)
      var sum = 0.0
      for (part, value) in column.values.enumerated() {
        let (low, high) = (up.place(sum), up.place(sum + value))
        drawing.bar(
          middle - room * 0.3, high, width: room * 0.6, height: low - high,
          colour: SVGDrawing.colours[part % SVGDrawing.colours.count])
        sum += value
      }
      drawing.text(column.label, middle, StackChart.bottom + 18, .middle)
    }
    drawing.text(
      horizontal, (StackChart.left + StackChart.right) / 2, StackChart.bottom + 38, .middle)
    for (part, name) in parts.enumerated() {
      let y = StackChart.top + 6 + 20 * Double(parts.count - 1 - part)
      drawing.bar(
        StackChart.right + 16, y - 6, width: 12, height: 12,
        colour: SVGDrawing.colours[part % SVGDrawing.colours.count])
      drawing.text(name, StackChart.right + 34, y + 4)
    }
    return drawing
  }
}
