import FoundationEssentials
import Testing

@testable import leafcutter_demo

@Suite("The report on downtimes")
struct DowntimeReportTests {
  private func run(_ kind: RunKind, _ downtime: Double, client: Double) -> DowntimeRun {
    DowntimeRun(
      kind: kind, downtimeQEMU: downtime, downtimeClient: client, totalSeconds: 8.5,
      wireBytes: 123_000_000, pagesDropped: kind == .plain ? 0 : 9000, rounds: 4)
  }

  @Test("the JSON form has the documented keys and no others")
  func keys() throws {
    let report = DowntimeReport(limit: 300, runs: [run(.leafcutter, 250, client: 260)])
    let text = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
    for pair in [
      "\"limit_ms\":300", "\"name\":\"leafcutter\"", "\"downtime_qemu_ms\":250",
      "\"downtime_client_ms\":260", "\"total_s\":8.5", "\"wire_bytes\":123000000",
      "\"pages_dropped\":9000", "\"rounds\":4", "\"runs\":[",
    ] {
      #expect(text.contains(pair))
    }
    #expect(text.count { $0 == ":" } == 9)
  }

  @Test("both kinds stand side by side, each migration is a mark, and the limit is a line")
  func text() {
    let report = DowntimeReport(
      limit: 300,
      runs: [
        run(.plain, 280, client: 290), run(.leafcutter, 310, client: 330),
        run(.leafcutter, 290, client: 295),
      ])
    let lines = report.text.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(lines.contains(["plain", "leafcutter"]))
    #expect(
      lines.contains(["within", "the", "limit", "of", "300", "1", "of", "1", "1", "of", "2"]))
    #expect(lines.contains(["275", "to", "300", "#", "#"]))
    #expect(lines.contains(["--------", "limit"]))
    #expect(lines.contains(["300", "to", "325", "#"]))
  }
}
