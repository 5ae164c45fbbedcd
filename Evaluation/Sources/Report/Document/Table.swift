import Lab

/// A table in Markdown.
struct Table {
  var head: [String]
  var rows: [[String]]

  var text: String {
    guard !rows.isEmpty else { return "Not measured yet." }
    let rule = Array(repeating: "---", count: head.count)
    return ([head, rule] + rows).map { "| " + $0.joined(separator: " | ") + " |" }
      .joined(separator: "\n")
  }

  /// The median, with lowest and highest after it where there were several runs, and their number where
  /// it is not the expected one; a dash where there was none.
  static func cell(
    _ values: Distribution?, digits: Int, expected: Int = EvaluationRecord.repetitions
  ) -> String {
    guard let values else { return "–" }
    func text(_ value: Double) -> String { value.text(digits: digits) }
    let spread = values.count > 1 ? " (\(text(values.least))–\(text(values.most)))" : ""
    let number = values.count == expected ? "" : ", n=\(values.count)"
    return text(values.median) + spread + number
  }
}
