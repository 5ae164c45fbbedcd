import FoundationEssentials
import Lab

/// The downtimes of many migrations side by side, for people and for programs.
struct DowntimeReport: Encodable {
  /// QEMU's `downtime-limit`.
  var limit: Double
  /// In the order in which they were done.
  var runs: [DowntimeRun]

  private enum CodingKeys: String, CodingKey {
    case limit = "limit_ms"
    case runs
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
    let kinds = RunKind.allCases.filter { kind in runs.contains { $0.kind == kind } }
    var rows = [[""] + kinds.map(\.rawValue)]
    for (title, value) in DowntimeReport.downtimes {
      let columns = kinds.compactMap { distribution(of: value, $0) }
      rows.append([title] + columns.map { _ in "" })
      rows.append(["  least"] + columns.map { $0.least.text(digits: 0) })
      rows.append(["  median"] + columns.map { $0.median.text(digits: 0) })
      rows.append(["  90 % within"] + columns.map { $0.ninetieth.text(digits: 0) })
      rows.append(["  most"] + columns.map { $0.most.text(digits: 0) })
      rows.append(
        ["  within the limit of \(limit.text(digits: 0))"]
          + columns.map { "\($0.count(within: limit)) of \($0.count)" })
    }
    for (title, digits, value) in DowntimeReport.others {
      let columns = kinds.compactMap { distribution(of: value, $0) }
      rows.append([title] + columns.map { $0.median.text(digits: digits) })
    }
    let histograms = DowntimeReport.downtimes.map { title, value in
      histogram(title, kinds, value)
    }
    return ([Report.aligned(rows)] + histograms).joined(separator: "\n\n")
  }

  private typealias Value = @Sendable (DowntimeRun) -> Double

  private static let downtimes: [(title: String, value: Value)] = [
    ("downtime by QEMU, ms", { $0.downtimeQEMU }),
    ("downtime seen by clients, ms", { $0.downtimeClient }),
  ]

  /// Shown by their medians.
  private static let others: [(title: String, digits: Int, value: Value)] = [
    ("total time, s, median", 1, { $0.totalSeconds }),
    ("on the wire, MB, median", 0, { Double($0.wireBytes) / 1e6 }),
    ("RAM pages dropped, median", 0, { Double($0.pagesDropped) }),
    ("rounds, median", 0, { Double($0.rounds) }),
  ]

  private func distribution(of value: Value, _ kind: RunKind) -> Distribution? {
    Distribution(runs.filter { $0.kind == kind }.map(value))
  }

  /// One line for each 25 ms, a mark for each migration, and a line at the limit.
  private func histogram(_ title: String, _ kinds: [RunKind], _ value: Value) -> String {
    let step = 25.0
    let columns = kinds.compactMap { distribution(of: value, $0) }
    guard let least = columns.map(\.least).min(), let most = columns.map(\.most).max() else {
      return ""
    }
    let width = (columns.map(\.count) + kinds.map(\.rawValue.count)).max() ?? 0
    let names = zip(kinds, columns).map { kind, _ in
      DowntimeReport.padded(kind.rawValue, to: width)
    }
    var lines = [DowntimeReport.padded(title, to: 30) + names.joined(separator: "  ")]
    var lower = (least / step).rounded(.down) * step
    while lower <= most {
      if lower == limit { lines.append("  " + String(repeating: "-", count: 8) + " limit") }
      let marks = columns.map { column in
        let count = column.count(from: lower, to: lower + step)
        return DowntimeReport.padded(String(repeating: "#", count: count), to: width)
      }
      let range = "  \(lower.text(digits: 0)) to \((lower + step).text(digits: 0))"
      lines.append(DowntimeReport.padded(range, to: 30) + marks.joined(separator: "  "))
      lower += step
    }
    return lines.map { line in
      String(line.reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}
