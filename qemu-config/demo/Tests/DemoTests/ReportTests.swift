import FoundationEssentials
import Testing

@testable import leafcutter_demo

@Suite("The demo's report")
struct ReportTests {
  private func run(_ kind: RunKind, _ total: Double, wire: Double) -> RunFigures {
    RunFigures(kind: kind, values: [.total: total, .wireBytes: wire])
  }

  private func report(_ runs: [RunFigures]) -> Report {
    Report(
      runs: runs, samples: runs,
      conditions: .init(
        memory: 2048, cache: 1024, documents: 1, rate: 1, link: "1gbit", accelerator: "tcg"))
  }

  @Test("medians are taken figure by figure")
  func medians() throws {
    let runs = [run(.plain, 3, wire: 10), run(.plain, 1, wire: 30), run(.plain, 2, wire: 20)]
    let median = try #require(RunFigures.medians(of: runs))
    #expect(median[.total] == 2)
    #expect(median[.wireBytes] == 20)
    #expect(median[.prepare] == nil)
    #expect(RunFigures.medians(of: Array(runs.prefix(2)))?[.total] == 2)
  }

  @Test("every key is in the JSON form, null where a run has no such figure")
  func everyKey() throws {
    let data = try JSONEncoder().encode(run(.plain, 3, wire: 10))
    let text = String(decoding: data, as: UTF8.self)
    for metric in Metric.allCases { #expect(text.contains("\"\(metric.rawValue)\":")) }
    #expect(text.contains("\"name\":\"plain\""))
    #expect(text.contains("\"leaves_resident\":null"))
  }

  @Test("ratios are against the plain run")
  func ratios() {
    let text = report([run(.plain, 20, wire: 1000), run(.leafcutter, 5, wire: 200)]).text
    #expect(text.contains("leafcutter against plain: total time × 0.25, bytes on the wire × 0.20"))
  }

  @Test(
    "numbers are rounded, not cut", arguments: [(0.96, 1, "1.0"), (-0.04, 1, "0.0"), (2.5, 0, "3")])
  func numbers(value: Double, digits: Int, expected: String) {
    #expect(value.text(digits: digits) == expected)
  }

  @Test("a list of runs names what it does not know")
  func runList() throws {
    #expect(try RunList("plain,leafcutter").kinds == [.plain, .leafcutter])
    #expect(throws: (any Error).self) { try RunList("plain,fast") }
  }
}
