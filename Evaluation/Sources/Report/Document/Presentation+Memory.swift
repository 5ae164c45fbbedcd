import Lab

extension Presentation {
  private static let memoryColumns = [
    FigureColumn("WiredTiger's cache, MB", .cacheUsed, divisor: 1e6),
    FigureColumn("page cache, MB", .pageCache, divisor: 1e6),
    FigureColumn("the rest, MB", .rest, divisor: 1e6),
    FigureColumn("free, MB", .free, divisor: 1e6),
  ]

  mutating func addMemory(_ record: EvaluationRecord) {
    let database = FigureColumn("table files, MB", .database, divisor: 1e6)
    let groups = Dictionary(
      grouping: record.countedRuns(of: .memory), by: \.conditions.documents
    ).sorted { $0.key < $1.key }
    let rows = groups.map { documents, runs in
      [Table.label("\(documents)", runs)]
        + Table.row(of: runs, [database] + Presentation.memoryColumns)
    }
    let head = ["documents"] + ([database] + Presentation.memoryColumns).map(\.title)
    add("memory", Table(head: head, rows: rows))
    guard !groups.isEmpty else { return }
    let bars = groups.map { _, runs in
      StackChart.Bar(
        label: database.distribution(over: runs).map { "\($0.median.text(digits: 0)) MB" } ?? "?",
        values: Presentation.memoryColumns.map { $0.distribution(over: runs)?.median ?? 0 })
    }
    let title = "What a guest's memory holds, by the size of the table files"
    let chart = StackChart(
      title: title, axis: "MB", parts: ["WiredTiger's cache", "page cache", "the rest", "free"],
      bars: bars)
    add(Drawing(.memory, title, chart.drawn()))
  }
}
