import FoundationEssentials
import Lab

/// The table for people and the report for programs.
struct Report: Encodable {
  /// In the order in which they were asked for; medians where each was done more than once.
  var runs: [RunFigures]
  /// Every single run.
  var samples: [RunFigures]
  /// What the runs have in common.
  var conditions: Conditions

  struct Conditions: Encodable {
    /// MiB.
    var memory: Int
    var cache: Int
    var documents: Int
    var rate: Int
    var link: String
    var accelerator: String
  }

  func write(toFile path: String) throws(LabError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    do {
      try encoder.encode(self).write(to: URL(filePath: path))
    } catch {
      throw LabError("cannot write the report to \(path): \(error)")
    }
  }

  var text: String {
    var rows = [[""] + runs.map(\.kind.rawValue)]
    for metric in Metric.allCases where runs.contains(where: { $0[metric] != nil }) {
      let (title, divisor, digits) = metric.presentation
      let cells = runs.map { run in
        run[metric].map { ($0 / divisor).text(digits: digits) } ?? "-"
      }
      rows.append([title] + cells)
    }
    return [Report.aligned(rows), stepsText, ratiosText].filter { !$0.isEmpty }
      .joined(separator: "\n\n")
  }

  private var stepsText: String {
    guard let run = runs.first(where: { !$0.steps.isEmpty }) else { return "" }
    let steps = run.steps.map { "\($0.name) \($0.seconds.text(digits: 2))" }
    return "prepare, step by step (s): " + steps.joined(separator: ", ")
  }

  /// How each other run compares with the plain one.
  private var ratiosText: String {
    guard let plain = runs.first(where: { $0.kind == .plain }) else { return "" }
    var lines: [String] = []
    for run in runs where run.kind != .plain {
      let ratios = [(Metric.total, "total time"), (.wireBytes, "bytes on the wire")].compactMap {
        (metric, name) -> String? in
        guard let value = run[metric], let base = plain[metric], base > 0 else { return nil }
        return "\(name) × \((value / base).text(digits: 2))"
      }
      var parts = ratios
      if let value = run[.downtimeClient], let base = plain[.downtimeClient] {
        let sign = value >= base ? "+" : ""
        parts.append("downtime seen by clients \(sign)\((value - base).text(digits: 0)) ms")
      }
      lines.append("\(run.kind.rawValue) against plain: " + parts.joined(separator: ", "))
    }
    return lines.joined(separator: "\n")
  }

  /// The first column to the left, the others to the right.
  static func aligned(_ rows: [[String]]) -> String {
    guard let columns = rows.first?.count else { return "" }
    let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }.joined(separator: "   ")
    }.joined(separator: "\n")
  }
}
