import Lab

/// A drawing as SVG 1.1 text, of the few shapes that the charts need. Its colours are readable on light
/// and on dark ground.
public struct SVGDrawing: Sendable {
  /// Where a text stands to its place.
  public enum Anchor: String, Sendable {
    case start, middle, end
  }

  /// One after the other they are told apart by people who see few colours (Okabe and Ito, "Color
  /// Universal Design", 2008).
  public static let colours = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c", "#8f6bd6",
  ]

  public let width: Double
  public let height: Double
  private var body: [String] = []

  public init(width: Double, height: Double) {
    self.width = width
    self.height = height
  }

  public mutating func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, colour: String? = nil,
    width: Double = 1
  ) {
    let stroke = colour.map { " style=\"stroke:\($0);stroke-width:\(number(width))\"" } ?? ""
    body.append(
      "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\"\(stroke)/>"
    )
  }

  public mutating func path(_ points: [(x: Double, y: Double)], colour: String) {
    guard points.count > 1 else { return }
    let list = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
    body.append("<polyline points=\"\(list)\" style=\"stroke:\(colour)\"/>")
  }

  public mutating func bar(
    _ x: Double, _ y: Double, width: Double, height: Double, colour: String
  ) {
    body.append(
      "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(max(0, width)))\" "
        + "height=\"\(number(max(0, height)))\" fill=\"\(colour)\"/>")
  }

  public mutating func dot(_ x: Double, _ y: Double, colour: String) {
    body.append("<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"3\" fill=\"\(colour)\"/>")
  }

  public mutating func text(
    _ text: String, _ x: Double, _ y: Double, _ anchor: Anchor = .start, isTitle: Bool = false
  ) {
    body.append(
      "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor.rawValue)\""
        + "\(isTitle ? " class=\"title\"" : "")>\(SVGDrawing.escaped(text))</text>")
  }

  /// The whole file.
  public var file: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
    width="\(number(width))" height="\(number(height))">
    <style>
    text { font: 12px sans-serif; fill: #57606a }
    .title { font-weight: bold; font-size: 14px }
    line { stroke: #8c959f; stroke-opacity: 0.6 }
    polyline { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) { text { fill: #b1bac4 } }
    </style>
    \(body.joined(separator: "\n"))
    </svg>

    """
  }

  private func number(_ value: Double) -> String { value.text(digits: 1) }

  static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
