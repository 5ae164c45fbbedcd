import Lab

extension Presentation {
  /// Runs whose figures stand in one cell.
  private struct Cell: Hashable {
    var experiment: Experiment
    var method: Method
    var conditions: Run.Conditions
  }

  /// How many runs there are and how many of them do not count, and what the tables would say if those
  /// counted that other programs disturbed.
  mutating func addRuns(_ record: EvaluationRecord) {
    let ended = record.runs.filter { $0.failure == nil }
    let undisturbed = ended.filter { !$0.isDisturbed }
    let counted = undisturbed.converged.count
    let unwatched = undisturbed.count { $0[.otherPrograms] == nil }
    add(
      "runs",
      "Runs that count: \(counted) of \(record.runs.count). Excluded, because other programs took more "
        + "than \(Run.undisturbed.text(digits: 1)) processors meanwhile: "
        + "\(ended.count - undisturbed.count); failed: \(record.runs.count - ended.count); "
        + "not converged: \(undisturbed.count - counted)."
        + (unwatched > 0 ? " Of \(unwatched) it is not known what other programs took." : "")
        + memoryLatency(undisturbed))
    addExcluded(ended)
  }

  private func memoryLatency(_ runs: [Run]) -> String {
    guard let latency = runs.distribution(of: .memoryLatency) else { return "" }
    let cell = Table.cell(latency, digits: 0, expected: latency.count)
    return
      " A read of the host's memory took \(cell) ns (random places, one after the other) before the "
      + "\(latency.count) runs that looked."
  }

  private mutating func addExcluded(_ ended: [Run]) {
    var cells: [Cell: [Run]] = [:]
    var order: [Cell] = []
    for run in ended {
      guard let method = run.method else { continue }
      let cell = Cell(experiment: run.experiment, method: method, conditions: run.conditions)
      if cells[cell] == nil { order.append(cell) }
      cells[cell, default: []].append(run)
    }
    let total = FigureColumn("", .total, digits: 2)
    let rows = order.compactMap { cell -> [String]? in
      let all = cells[cell] ?? []
      let undisturbed = all.filter { !$0.isDisturbed }
      guard undisturbed.count < all.count else { return nil }
      return [
        cell.experiment.rawValue, cell.conditions.title(in: cell.experiment), cell.method.title,
        total.cell(undisturbed), total.cell(all), "\(all.count - undisturbed.count)",
      ]
    }
    let table = Table(
      head: ["experiment", "point", "", "total, s", "with the excluded runs, s", "excluded"],
      rows: rows)
    add("excluded", rows.isEmpty ? "No run was excluded." : table.text)
  }
}

extension Run.Conditions {
  /// Where an experiment's tables have it.
  fileprivate func title(in experiment: Experiment) -> String {
    switch experiment {
    case .methods, .service: Point(link: link, share: cacheShare).title
    case .workloads: Workload(mix: mix, keys: keys).title
    case .memory: "\(documents) documents"
    }
  }
}
