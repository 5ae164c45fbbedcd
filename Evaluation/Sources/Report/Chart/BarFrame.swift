/// What charts of horizontal bars have in common: a title, a legend, a row with a label for each bar or
/// group of bars, and an axis below.
struct BarFrame {
  private let title: String
  private let axis: String
  private let labels: [String]
  private let entries: [Entry]
  private let rowHeight: Double
  private let top: Double
  private let width: Double
  /// Where bars begin; what labels need lies before it.
  let left: Double
  private let right: Double
  let scale: Scale

  /// A colour of the legend.
  private struct Entry {
    var name: String
    var place: SVGDrawing.Place
  }

  /// Of the axis.
  private static let length = 500.0
  /// Between rows, and between a label and its bars.
  private static let gap = 8.0

  /// - Parameters:
  ///   - axis: what is measured, with its unit.
  ///   - legend: what the colours mean, in their order; empty where there is one that needs no word.
  ///   - thickness: of a row's bars together.
  ///   - values: that have a place.
  init(
    title: String, axis: String, legend: [String], labels: [String], thickness: Double,
    covering values: [Double]
  ) {
    self.title = title
    self.axis = axis
    self.labels = labels
    rowHeight = thickness + BarFrame.gap
    let margin = SVGDrawing.margin
    left = margin + (labels.map { SVGDrawing.width(of: $0) }.max() ?? 0) + BarFrame.gap
    right = left + BarFrame.length
    // The last tick's text reaches beyond the axis.
    width = max(right + 30, SVGDrawing.width(of: title, isTitle: true) + 2 * margin)
    scale = Scale(.linear, covering: values, from: left, to: right)
    var place = SVGDrawing.Place(margin, 34)
    var entries: [Entry] = []
    for name in legend {
      let length = 30 + SVGDrawing.width(of: name)
      if place.x + length > width { place = SVGDrawing.Place(margin, place.y + 18) }
      entries.append(Entry(name: name, place: place))
      place.x += length
    }
    self.entries = entries
    top = legend.isEmpty ? 42 : place.y + 26
  }

  /// Where the bars of a row begin.
  func top(ofRow row: Int) -> Double { top + rowHeight * Double(row) }

  /// The drawing without its bars.
  func drawn() -> SVGDrawing {
    let bottom = top(ofRow: labels.count)
    var drawing = SVGDrawing(width: width, height: bottom + 44)
    drawing.text(title, SVGDrawing.margin, 22, isTitle: true)
    for (number, entry) in entries.enumerated() {
      drawing.bar(
        entry.place.x, entry.place.y, width: 12, height: 12, colour: SVGDrawing.colour(number))
      drawing.text(entry.name, entry.place.x + 17, entry.place.y + 10)
    }
    for tick in scale.ticks {
      let x = scale.place(tick)
      drawing.line(.init(x, top - 4), .init(x, bottom))
      drawing.text(scale.text(of: tick), x, bottom + 16, .middle)
    }
    drawing.text(axis, (left + right) / 2, bottom + 34, .middle)
    for (row, label) in labels.enumerated() {
      let middle = top(ofRow: row) + (rowHeight - BarFrame.gap) / 2
      drawing.text(label, left - BarFrame.gap, middle + 4, .end)
    }
    return drawing
  }
}
