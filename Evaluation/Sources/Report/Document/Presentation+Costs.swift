import Lab

extension Presentation {
  /// Of the methods at 1 Gbit/s with half of the memory in the cache.
  mutating func addCosts(_ record: EvaluationRecord) {
    let runs = record.undisturbedRuns(of: .methods).at(Point(link: Goal.link, share: Goal.share))
    let columns = [
      FigureColumn("observed, s", .observed, digits: 1),
      FigureColumn("source QEMU, s", .sourceProcessor, digits: 1),
      FigureColumn("proxy, s", .proxyProcessor, digits: 2),
      FigureColumn("destination QEMU, s", .destinationProcessor, digits: 1),
      FigureColumn("guest, s", .guestProcessor, digits: 1),
      FigureColumn("reads", .storageReads),
      FigureColumn("read, MB", .storageBytesRead, divisor: 1e6),
      FigureColumn("wire + storage, MB", divisor: 1e6, value: \.wireAndStorageBytes),
      FigureColumn("prepare, s", .prepare, digits: 2),
      FigureColumn("refault, s", .refault, digits: 1),
      FigureColumn("until the cache is back, s", digits: 1, value: \.secondsUntilCacheIsBack),
    ]
    add("costs", Table(ofMethodsIn: runs, columns: columns))
    let converged = runs.converged
    guard !converged.isEmpty else { return }
    let bars = converged.methods.map { method in
      let mine = converged.of(method)
      return StackChart.Bar(
        label: method.title,
        values: Run.processorFigures.map { mine.distribution(of: $0)?.median ?? 0 },
        sum: Distribution(mine.compactMap(\.processorSeconds)))
    }
    let title = "Processor time of a migration, half of the guest's memory in the cache"
    let chart = StackChart(
      title: title, axis: "processor seconds, 1 Gbit/s",
      parts: ["source QEMU", "proxy", "destination QEMU"], bars: bars)
    add(Drawing(.costs, title, chart.drawn()))
  }
}
