import Foundation
import MigrationLab

/// The table as it grows, and its sum.
struct MatrixTable {
  private struct File: Encodable {
    var rows: [MatrixResult]
  }

  private var results: [MatrixResult] = []
  private var problems: [String] = []
  /// Rows that were left out, because the time was over.
  var notRun = 0

  var hasProblems: Bool { !problems.isEmpty || notRun > 0 }

  /// What a row is.
  static func line(for row: MatrixRow) -> String {
    let pair = "\(row.setting.source.version) → \(row.setting.destination.version)"
    let name = row.isControl ? "\(row.way.name) (no proxy)" : row.way.name
    return [(pair, 12), (row.setting.layout.name, 30), (name, 43)]
      .map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined()
  }

  /// Prints the row at once.
  mutating func add(
    _ row: MatrixRow, _ result: MatrixResult, _ problem: String?, took: Duration
  ) {
    results.append(result)
    let seconds = String(format: "%5.1f s", took / .seconds(1))
    let pages =
      result.deadMet > 0
      ? "\(result.dropped) of \(result.deadMet) dropped"
      : result.zeroed > 0 ? "\(result.zeroed) zeroed by the guest" : "nothing dropped"
    let verdict = result.result.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
    let line = "\(MatrixTable.line(for: row))\(verdict)\(seconds)  "
    print(line + (row.isControl ? "" : "\(pages)  ") + (result.reason.map(MatrixTable.short) ?? ""))
    if let problem {
      problems.append("\(MatrixTable.line(for: row))\(problem)")
      print("  NOT AS IT MUST BE")
    }
    fflush(nil)
  }

  private static func short(_ reason: String) -> String {
    reason.count > 120 ? "\(reason.prefix(117))..." : reason
  }

  func printSum(took: Duration) {
    func count(_ verdict: MatrixResult.Verdict) -> Int { results.count { $0.result == verdict } }
    let met = results.reduce(0) { $0 + $1.deadMet }
    let dropped = results.reduce(0) { $0 + $1.dropped }
    let zeroed = results.reduce(0) { $0 + $1.zeroed }
    print(
      """

      \(results.count) migrations in \(Int(took / .seconds(1))) s: \(count(.equal)) equal, \
      \(count(.unequal)) unequal, \(count(.failed)) failed, \(count(.hang)) hangs; \
      \(dropped) of \(met) dead pages dropped, \(zeroed) pages zeroed by guests
      """)
    if notRun > 0 { print("\(notRun) rows were not run: the time is over") }
    for problem in problems { print("NOT AS IT MUST BE: \(problem)") }
  }

  func write(toFile path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try encoder.encode(File(rows: results)).write(to: URL(filePath: path))
  }
}
