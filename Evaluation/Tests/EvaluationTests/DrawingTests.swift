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
    #expect(file.count(of: "<rect ") == 1)
    // 20 of an axis of 30, which is 500 long and begins at 190.
    #expect(file.contains("width=\"333.3\""))
    #expect(file.contains(">one<") && file.contains(">two<"))
    // From 10 to 30, with two caps.
    #expect(file.contains("x1=\"356.7\" y1=\"47.0\" x2=\"690.0\" y2=\"47.0\" class=\"ink\""))
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
    // Of an axis of 100, which is 500 long and begins at 190.
    #expect(file.contains("x=\"190.0\" y=\"60.0\" width=\"200.0\""))
    #expect(file.contains("x=\"390.0\" y=\"60.0\" width=\"300.0\""))
    // Two more are the legend's.
    #expect(file.count(of: "<rect ") == 6)
    #expect(file.contains("x1=\"640.0\"") && file.count(of: "class=\"ink\"") == 3)
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
            name: "a", kind: .course,
            points: [-1.0, 0, 1].map { .init(x: $0, y: 5, spread: spread) })
        ]
      ).drawn().file
    }
    #expect(chart(4...6).count(of: "<polygon ") == 1)
    #expect(chart(nil).count(of: "<polygon ") == 0)
    #expect(chart(nil).count(of: "class=\"ink\" stroke-dasharray") == 1)
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
      var run = Run(
        .service, .leafcutter, .init(memory: 1, cacheShare: 50, documents: 1),
        repetition: number + 1)
      run.stretches = [.init(start: -1.6, operationsPerSecond: operations, p99: 1)]
      runs.append(run)
    }
    let points = Presentation.course(runs, \.operationsPerSecond)
    #expect(points.map(\.x) == [-2] && points.map(\.y) == [200])
    #expect(points.map(\.spread) == [100...300])
  }

  @Test("every colour is seen on light and dark ground, and every whisker on every colour")
  func contrast() throws {
    for colour in SVGDrawing.colours {
      let value = try luminance(colour)
      #expect(try ratio(value, luminance("#ffffff")) >= 3, "\(colour) on white")
      #expect(try ratio(value, luminance("#0d1117")) >= 3, "\(colour) on dark ground")
      #expect(try ratio(value, luminance(SVGDrawing.inkOnLight)) >= 3, "ink on \(colour)")
      #expect(try ratio(value, luminance(SVGDrawing.inkOnDark)) >= 3, "ink on \(colour)")
    }
    #expect(Set(SVGDrawing.colours).count == SVGDrawing.colours.count)
  }

  /// Relative luminance and contrast ratio as the Web Content Accessibility Guidelines 2.2 define them.
  private func luminance(_ colour: String) throws -> Double {
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
