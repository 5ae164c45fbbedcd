import Glibc
import Lab
import Testing

@testable import EvaluationReport

@Suite("Drawings")
struct DrawingTests {
  @Test("a bar is as long as its median, and where nothing was measured there is none")
  func bars() throws {
    let chart = BarChart(
      title: "t", axis: "s", series: ["a"],
      bars: [
        .init(label: "one", values: [Distribution([10, 30, 20])]),
        .init(label: "two", values: [nil]),
      ])
    let file = chart.drawn().file
    #expect(file.count(of: "<rect x=") == 1)
    // 20 of an axis of 30, which is 500 long and begins after three characters.
    #expect(file.contains("width=\"333.3\""))
    #expect(file.contains(">one<") && file.contains(">two<"))
    // From 10 to 30, with two caps.
    #expect(file.contains("x1=\"207.7\" y1=\"47.0\" x2=\"541.0\" y2=\"47.0\" class=\"ink\""))
    #expect(file.count(of: "class=\"ink\"") == 3)
  }

  @Test("one run has no spread")
  func noSpread() {
    let chart = BarChart(
      title: "t", axis: "s", series: ["a"],
      bars: [.init(label: "one", values: [Distribution([10])])])
    #expect(!chart.drawn().file.contains("class=\"ink\""))
  }

  @Test("a stack is as long as its sum, and its whisker is that of the sum")
  func stack() {
    let chart = StackChart(
      title: "t", axis: "s", parts: ["a", "b"],
      bars: [
        .init(label: "x", values: [40, 60], sum: Distribution([100, 90])),
        .init(label: "y", values: [10, 10]),
      ])
    let file = chart.drawn().file
    // Of an axis of 100, which is 500 long and begins after one character.
    #expect(file.contains("x=\"27.0\" y=\"60.0\" width=\"200.0\""))
    #expect(file.contains("x=\"227.0\" y=\"60.0\" width=\"300.0\""))
    // Two more are the legend's.
    #expect(file.count(of: "<rect x=") == 6)
    #expect(file.contains("x1=\"477.0\"") && file.count(of: "class=\"ink\"") == 3)
  }

  @Test("a legend that is longer than the drawing goes on in a second line")
  func longLegend() {
    let names = (1...5).map { "a series with a long name, \($0)" }
    let chart = BarChart(
      title: "t", axis: "s", series: names,
      bars: [.init(label: "x", values: names.map { _ in Distribution([1]) })])
    let file = chart.drawn().file
    #expect(file.contains("x=\"12.0\" y=\"34.0\"") && file.contains("x=\"12.0\" y=\"52.0\""))
  }

  @Test("a course has a band where runs differ, and the event a dashed line")
  func course() {
    func chart(_ spread: ClosedRange<Double>?) -> String {
      LineChart(
        title: "t", horizontal: "", vertical: "", event: 0,
        lines: [
          .init(
            name: "a", kind: .course(step: 1),
            points: [-1.0, 0, 1].map { .init(x: $0, y: 5, spread: spread) })
        ]
      ).drawn().file
    }
    #expect(chart(4...6).count(of: "<polygon ") == 1)
    #expect(chart(nil).count(of: "<polygon ") == 0)
    #expect(chart(nil).count(of: "class=\"ink\" stroke-dasharray") == 1)
  }

  @Test("where a course has no points it has a gap, and what stands between two gaps is a dot")
  func gaps() {
    let points = [-2.0, -1, 3, 4, 9].map { LineChart.Point(x: $0, y: 5, spread: 4...6) }
    func file(_ kind: LineChart.Line.Kind) -> String {
      LineChart(
        title: "t", horizontal: "", vertical: "",
        lines: [.init(name: "a", kind: kind, points: points)]
      ).drawn().file
    }
    // One more is the legend's.
    #expect(file(.course(step: 1)).count(of: "<polyline ") == 3)
    #expect(file(.course(step: 1)).count(of: "<polygon ") == 2)
    #expect(file(.course(step: 1)).count(of: "<circle ") == 1)
    #expect(file(.course(step: 5)).count(of: "<polyline ") == 2)
    #expect(file(.points).count(of: "<polyline ") == 2)
  }

  @Test("no text is cut off, whatever the methods are called", arguments: ["1gbit", "unshaped"])
  func texts(_ link: String) throws {
    let text =
      /<text x="(?<x>[^"]+)" .*anchor="(?<anchor>[a-z]+)"(?<title> class)?.*>(?<text>.*)</
    let drawings = try Presentation(.sampleOfEverything(link: link)).drawings
    #expect(drawings.count == 9)
    for drawing in drawings {
      let file = drawing.image.file
      let size = try #require(file.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/))
      let width = try #require(Double(size.1))
      #expect(file.matches(of: text).count == file.count(of: "<text "))
      for match in file.matches(of: text) {
        let place = try #require(Double(match.x))
        // DejaVu Sans, which is wide, takes 5.8 to 6.7 px a character for the methods' names, and 8.4 for
        // titles.
        let length = Double(match.text.count) * (match.title == nil ? 6.8 : 8.5)
        let begin =
          switch match.anchor {
          case "end": place - length
          case "middle": place - length / 2
          default: place
          }
        #expect(
          begin >= 0 && begin + length <= width, "\(drawing.name): \(match.text)")
      }
    }
  }

  @Test("dashed lines share no colour with each other, and may with the others")
  func dashes() {
    let points = [0.0, 1].map { LineChart.Point(x: $0, y: 1, spread: 0...2) }
    let file = LineChart(
      title: "t", horizontal: "", vertical: "",
      lines: [true, false, true].map {
        .init(name: "a", kind: .points, isDashed: $0, points: points)
      }
    ).drawn().file
    // Each has a line and its part of the legend, and two whiskers of three lines.
    #expect(file.count(of: "stroke:\(SVGDrawing.colours[0]);stroke-dasharray") == 2)
    #expect(file.count(of: "stroke:\(SVGDrawing.colours[0])\"") == 2)
    #expect(file.count(of: "stroke:\(SVGDrawing.colours[1]);stroke-dasharray") == 2)
    #expect(file.count(of: "stroke:\(SVGDrawing.colours[0]);stroke-opacity:1") == 12)
  }

  @Test("total time is drawn against cache size for every method, where there are several sizes")
  func cacheSizes() throws {
    let runs = [25, 50].flatMap { share in
      Method.allCases.map { Run.sample($0, 5, share: share) }
        + [.sample(.precopy, 5, link: "10gbit", share: share)]
    }
    let drawings = try Presentation(.sample(runs)).drawings
    let file = try #require(drawings.first { $0.name == "total-1gbit" }).image.file
    for method in Method.allCases {
      #expect(file.contains(">\(SVGDrawing.escaped(method.title))<"))
    }
    #expect(drawings.contains { $0.name == "total-10gbit" })
    let once = try Presentation(
      .sample(runs.filter { $0.method != .xbzrle || $0.conditions.cacheShare == 50 })
    ).drawings.first { $0.name == "total-1gbit" }
    #expect(once?.image.file.contains(Method.xbzrle.title) == false)
    let single = try Presentation(.sample(runs.filter { $0.conditions.cacheShare == 50 }))
    #expect(!single.drawings.contains { $0.name.hasPrefix("total-") })
  }

  @Test("text cannot break the file")
  func escapes() {
    #expect(SVGDrawing.escaped("a<b & \"c\">") == "a&lt;b &amp; &quot;c&quot;&gt;")
  }

  @Test("a line passes through the median of each second, and knows the spread")
  func seconds() {
    var runs: [Run] = []
    for (number, operations) in [100.0, 300, 200].enumerated() {
      var run = Run.sampleOfService(.leafcutter, secondsTo90: nil, repetition: number + 1)
      run.stretches = [.init(start: -1.6, operationsPerSecond: operations, p99: 1)]
      runs.append(run)
    }
    let points = Presentation.course(runs, \.operationsPerSecond)
    #expect(points.map(\.x) == [-2] && points.map(\.y) == [200])
    #expect(points.map(\.spread) == [100...300])
  }

  @Test("latency has a gap where most runs have no operation")
  func outage() throws {
    let runs = (1...3).map { repetition in
      var run = Run.sampleOfService(.leafcutter, secondsTo90: nil, repetition: repetition)
      run.stretches = (-2...4).map { second in
        let isOut = second == 0 || second == 1 && repetition > 1 || second == 3 && repetition > 2
        return .init(
          start: Double(second), operationsPerSecond: isOut ? 0 : 100, p99: isOut ? 0 : 5)
      }
      return run
    }
    let points = Presentation.course(runs) { $0.operationsPerSecond > 0 ? $0.p99 : nil }
    #expect(points.map(\.x) == [-2, -1, 2, 3, 4])
    let drawings = try Presentation(.sample(runs)).drawings
    func lines(_ name: String) throws -> Int {
      try #require(drawings.first { $0.name == name }).image.file.count(of: "<polyline ")
    }
    // One more is the legend's.
    #expect(try lines("latency") == 3)
    #expect(try lines("throughput") == 2)
  }

  @Test("ink and every colour are seen on the light and the dark ground, which lies behind all")
  func ground() throws {
    let file = BarChart(
      title: "t", axis: "s", series: ["a"],
      bars: [.init(label: "one", values: [Distribution([10, 30])])]
    ).drawn().file
    let size = try #require(file.firstMatch(of: /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/))
    #expect(
      file.contains(
        "</style>\n<rect class=\"ground\" width=\"\(size.1)\" height=\"\(size.2)\"/>\n"))
    let style = try #require(
      file.firstMatch(
        of: /(?s)<style>\n(.*)@media \(prefers-color-scheme: dark\) \{\n(.*)\}\n<\/style>/))
    var grounds: [Double] = []
    for rules in [style.1, style.2] {
      let ground = try luminance(colour(/\.ground \{ fill: (#[0-9a-f]{6}) \}/, rules))
      let text = try luminance(colour(/text \{.* fill: (#[0-9a-f]{6}) \}/, rules))
      let ink = try luminance(colour(/\.ink \{ stroke: (#[0-9a-f]{6})[ ;]/, rules))
      #expect(ratio(text, ground) >= 7 && ratio(ink, ground) >= 7)
      for name in SVGDrawing.colours {
        #expect(try ratio(luminance(name), ground) >= 3, "\(name) on the ground")
        #expect(try ratio(luminance(name), ink) >= 3, "ink on \(name)")
      }
      grounds.append(ground)
    }
    #expect(grounds[0] > 0.9 && grounds[1] < 0.1)
    #expect(Set(SVGDrawing.colours).count == SVGDrawing.colours.count)
  }

  /// A colour in the rules of a style sheet.
  private func colour(
    _ rule: Regex<(Substring, Substring)>, _ rules: Substring
  ) throws -> Substring {
    try #require(rules.firstMatch(of: rule)).1
  }

  /// Relative luminance and contrast ratio as the Web Content Accessibility Guidelines 2.2 define them.
  private func luminance(_ colour: some StringProtocol) throws -> Double {
    let value = try #require(Int(colour.dropFirst(), radix: 16))
    let parts = [16, 8, 0].map { shift -> Double in
      let part = Double((value >> shift) & 0xff) / 255
      return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
  }

  private func ratio(_ one: Double, _ other: Double) -> Double {
    (max(one, other) + 0.05) / (min(one, other) + 0.05)
  }
}

extension String {
  func count(of text: String) -> Int {
    var rest = self[...]
    var count = 0
    while let range = rest.firstRange(of: text) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
