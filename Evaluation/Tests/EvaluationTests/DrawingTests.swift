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
    // 20 of an axis of 30, which is 500 long.
    #expect(file.contains("width=\"333.3\""))
    #expect(file.contains(">one<") && file.contains(">two<"))
  }

  @Test("a stack is as high as its sum")
  func stack() {
    let chart = StackChart(
      title: "t", horizontal: "", vertical: "", parts: ["a", "b"],
      columns: [.init(label: "x", values: [40, 60])])
    let file = chart.drawn().file
    // Of an axis of 100, which is 270 high; two more are the legend's.
    #expect(file.contains("height=\"108.0\"") && file.contains("height=\"162.0\""))
    #expect(file.count(of: "<rect ") == 4)
  }

  @Test("text cannot break the file")
  func escapes() {
    #expect(SVGDrawing.escaped("a<b & \"c\">") == "a&lt;b &amp; &quot;c&quot;&gt;")
  }

  @Test("a line passes through the median of each second")
  func seconds() {
    var runs: [Run] = []
    for (number, operations) in [100.0, 300, 200].enumerated() {
      var run = Run(
        .service, .leafcutter, .init(memory: 1, cacheShare: 50, documents: 1),
        repetition: number + 1)
      run.stretches = [.init(start: -1.6, operationsPerSecond: operations, p99: 1)]
      runs.append(run)
    }
    let points = Presentation.medians(runs, \.operationsPerSecond)
    #expect(points.map(\.x) == [-2] && points.map(\.y) == [200])
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
