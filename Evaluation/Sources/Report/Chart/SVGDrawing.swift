import Lab

/// A drawing as SVG 1.1 text, of the few shapes that the charts need. It is light or dark as the reader
/// prefers, and has its own ground: the page around it may be the other.
package struct SVGDrawing: Sendable {
  /// Where a text stands to its place.
  enum Anchor: String {
    case start, middle, end
  }

  /// A place in the drawing, from its upper left corner.
  struct Place {
    var x: Double
    var y: Double

    init(_ x: Double, _ y: Double) {
      self.x = x
      self.y = y
    }
  }

  /// In this order they are told apart by people who see few colours; hues are those of Okabe and Ito,
  /// "Color Universal Design", 2008, as light or dark as it takes to be seen on white and on black.
  static let colours = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87400", "#3d94d1", "#8c8c8c", "#8f6bd6",
    "#8c564b",
  ]

  /// The colour with that number, from the first on again after the last.
  static func colour(_ number: Int) -> String { colours[number % colours.count] }

  /// Ink is the colour of text, and of what is drawn upon bars.
  private static let light = (ink: "#000000", ground: "#ffffff")
  private static let dark = (ink: "#ffffff", ground: "#0d1117")

  /// From an edge to the texts at it.
  static let margin = 12.0

  /// How much room a text takes at most: sans-serif differs from one reader to the next, and the wider ones
  /// take 6 to 7 px a character at 12 px.
  static func width(of text: String, isTitle: Bool = false) -> Double {
    Double(text.count) * (isTitle ? 9 : 7)
  }

  private let width: Double
  private let height: Double
  private var body: [String] = []

  init(width: Double, height: Double) {
    self.width = width
    self.height = height
  }

  /// A line of a grid.
  mutating func line(_ from: Place, _ to: Place) { line(from, to, "") }

  /// The time of an event, or something else that no axis has.
  mutating func mark(_ from: Place, _ to: Place) {
    line(from, to, " class=\"ink\" stroke-dasharray=\"4 4\"")
  }

  /// From the lowest to the highest of some values, across or upright, with a cap at either end.
  ///
  /// - Parameter colour: that of the text where it is nil, to be seen on a bar of any colour.
  mutating func whisker(_ from: Place, _ to: Place, colour: String? = nil) {
    let attributes = colour.map { " style=\"stroke:\($0);stroke-opacity:1\"" } ?? " class=\"ink\""
    let cap = 3.0
    let (across, along) = from.y == to.y ? (0, cap) : (cap, 0)
    line(from, to, attributes)
    for end in [from, to] {
      line(
        Place(end.x - across, end.y - along), Place(end.x + across, end.y + along), attributes)
    }
  }

  private mutating func line(_ from: Place, _ to: Place, _ attributes: String) {
    body.append(
      "<line x1=\"\(number(from.x))\" y1=\"\(number(from.y))\" x2=\"\(number(to.x))\" "
        + "y2=\"\(number(to.y))\"\(attributes)/>")
  }

  mutating func path(_ places: [Place], colour: String, isDashed: Bool = false) {
    guard places.count > 1 else { return }
    let dashes = isDashed ? ";stroke-dasharray:6 3" : ""
    body.append(
      "<polyline points=\"\(list(places))\" style=\"stroke:\(colour)\(dashes)\"/>")
  }

  /// A surface that lets see what lies below.
  mutating func band(_ places: [Place], colour: String) {
    guard places.count > 2 else { return }
    body.append("<polygon points=\"\(list(places))\" fill=\"\(colour)\" fill-opacity=\"0.2\"/>")
  }

  private func list(_ places: [Place]) -> String {
    places.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
  }

  mutating func bar(
    _ x: Double, _ y: Double, width: Double, height: Double, colour: String
  ) {
    body.append(
      "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(max(0, width)))\" "
        + "height=\"\(number(max(0, height)))\" fill=\"\(colour)\"/>")
  }

  mutating func dot(_ x: Double, _ y: Double, colour: String) {
    body.append("<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"3\" fill=\"\(colour)\"/>")
  }

  mutating func text(
    _ text: String, _ x: Double, _ y: Double, _ anchor: Anchor = .start, isTitle: Bool = false
  ) {
    body.append(
      "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor.rawValue)\""
        + "\(isTitle ? " class=\"title\"" : "")>\(SVGDrawing.escaped(text))</text>")
  }

  /// The whole file.
  package var file: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
    width="\(number(width))" height="\(number(height))">
    <style>
    .ground { fill: \(SVGDrawing.light.ground) }
    text { font: 12px sans-serif; fill: \(SVGDrawing.light.ink) }
    .title { font-weight: bold; font-size: 14px }
    line { stroke: #8c959f; stroke-opacity: 0.6 }
    .ink { stroke: \(SVGDrawing.light.ink); stroke-opacity: 1; stroke-width: 1.5 }
    polyline { fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
    .ground { fill: \(SVGDrawing.dark.ground) }
    text { fill: \(SVGDrawing.dark.ink) }
    .ink { stroke: \(SVGDrawing.dark.ink) }
    }
    </style>
    <rect class="ground" width="\(number(width))" height="\(number(height))"/>
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
