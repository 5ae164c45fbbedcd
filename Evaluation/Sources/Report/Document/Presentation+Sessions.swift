import Lab

extension Presentation {
  /// What the goals' first point came to in each session: how long a guest's own work takes depends on the machine's
  /// hour, and the medians of all runs do not show it.
  mutating func addSessions(_ record: EvaluationRecord) {
    let runs = record.countedRuns(of: .methods).at(Point(link: Goal.link, share: Goal.share))
    let sessions = Set(runs.map(\.session)).sorted { ($0?.began ?? "") < ($1?.began ?? "") }
    let compared: [Method] = [.precopy, .leafcutter, .ideal]
    let rows = sessions.compactMap { session -> [String]? in
      let mine = runs.filter { $0.session == session && $0.method.map(compared.contains) ?? false }
      guard !mine.of(.leafcutter).isEmpty else { return nil }
      func total(_ method: Method) -> Double? { mine.of(method).distribution(of: .total)?.median }
      func ratio(_ one: Method, _ other: Method) -> String {
        guard let one = total(one), let other = total(other) else { return "–" }
        return (one / other).text(digits: 2)
      }
      let columns = [FigureColumn("", .memoryLatency)]
      let count = mine.of(.leafcutter).count
      return [session?.began ?? "not noted", session?.commit ?? "–"]
        + Table.row(of: mine, columns)
        + compared.map { FigureColumn("", .total, digits: 2).cell(mine.of($0), expected: count) }
        + [FigureColumn("", .prepare, digits: 2).cell(mine.of(.leafcutter), expected: count)]
        + [ratio(.precopy, .leafcutter), ratio(.leafcutter, .ideal), "\(count)"]
    }
    add(
      "sessions",
      Table(
        head: ["began", "commit", "read of the host's memory, ns"]
          + compared.map { "\($0.title), s" }
          + ["prepare, s", "pre-copy to Leafcutter", "Leafcutter to the ideal", "runs each"],
        rows: rows))
  }
}
