import Lab
import Testing

@testable import EvaluationReport

@Suite("Tables")
struct TableTests {
  private func part(_ name: String, _ runs: [Run]) throws -> String {
    let presentation = try Presentation(.sample(runs))
    return try #require(presentation.parts.first { $0.name == name }).text
  }

  @Test("a cell has the median, the range, and the number of runs where it is not the full one")
  func cells() {
    #expect(Table.cell(Distribution([3, 5, 4]), digits: 1) == "4.0 (3.0–5.0), n=3")
    #expect(Table.cell(Distribution([3, 5, 4, 4, 4]), digits: 0) == "4 (3–5)")
    #expect(Table.cell(Distribution([3]), digits: 2) == "3.00, n=1")
    #expect(Table.cell(nil, digits: 2) == "–")
  }

  @Test("every part of the document has something in it where everything was measured")
  func everyPart() throws {
    let parts = try Presentation(.sampleOfEverything(link: "10gbit")).parts
    #expect(parts.count == 12)
    for part in parts {
      #expect(!part.text.isEmpty && !part.text.contains("Not measured yet."), "\(part.name)")
    }
  }

  @Test("a table has rows for what was measured, and one of which nothing was says so")
  func rows() throws {
    let runs = [Run.sample(.precopy, 9), .sample(.leafcutter, 4, link: "10gbit")]
    let total = try part("total", runs)
    #expect(total.contains("|  | 1 Gbit/s, 50 % | 10 Gbit/s, 50 % |"))
    #expect(total.contains("| pre-copy | 9.00, n=1 | – |"))
    #expect(total.contains("| Leafcutter | – | 4.00, n=1 |"))
    #expect(try part("service", runs) == "Not measured yet.")
  }

  @Test("runs that failed or that other programs disturbed count for nothing, and are kept")
  func notCounted() throws {
    let runs =
      Run.samples(.leafcutter, 3, 5) + [
        Run.sample(.leafcutter, 100).failing(),
        .sample(.leafcutter, 9).with(.otherPrograms, 0.9),
        .sample(.leafcutter, 4).with(.otherPrograms, 0.1),
      ]
    #expect(EvaluationRecord.sample(runs).runs.count == 5)
    #expect(try part("total", runs).contains("| Leafcutter | 4.00 (3.00–5.00), n=3 |"))
  }

  @Test("a run that did not converge counts for no median, and is said")
  func unconverged() throws {
    let lost = Run.sample(.precopy, 120).with(.converged, 0)
    let runs = Run.samples(.precopy, 9, 10) + [lost]
    #expect(
      try part("total", runs).contains(
        "| pre-copy | 9.50 (9.00–10.00), n=2; 1 of 3 did not converge |"))
    #expect(try part("total", [lost]).contains("| pre-copy | 1 of 1 did not converge |"))
    #expect(try part("costs", runs).contains("| pre-copy (n=2, 1 of 3 did not converge) |"))
  }

  @Test("a row says how many of the runs were switched to post-copy, where not all were")
  func switched() throws {
    func runs(_ figures: Double?...) -> [Run] {
      zip(1..., figures).map { repetition, figure in
        let run = Run.sample(.postcopy, 9, repetition: repetition)
        return figure.map { run.with(.postcopySwitched, $0) } ?? run
      }
    }
    #expect(try part("total", runs(1, 0, 1)).contains("| post-copy (switched 2 of 3) | 9.00"))
    #expect(try part("total", runs(1, 1)).contains("| post-copy | 9.00"))
    // Older raw data does not say it.
    #expect(try part("total", runs(nil, nil)).contains("| post-copy | 9.00"))
    let lost = Run.sample(.postcopy, 60).with(.postcopySwitched, 0).with(.converged, 0)
    #expect(try part("total", runs(1, 1) + [lost]).contains("| post-copy | 9.00"))
  }

  @Test("a workload's row says how many converged, and has the others' figures")
  func workloads() throws {
    let runs = [3.0, 60].map { total in
      var run = Run.sample(.precopy, total)
      run.experiment = .workloads
      run.conditions.mix = "A"
      run.conditions.keys = "uniform"
      run[.converged] = total < 60 ? 1 : 0
      return run
    }
    #expect(
      try part("workloads", runs).contains(
        "| 50 % updates | uniform | pre-copy | 1 of 2 | 3.0 |"))
  }

  @Test("each run is counted once in the sentence about runs")
  func sentence() throws {
    let runs = [
      Run.sample(.precopy, 1), .sample(.precopy, 1),
      .sample(.precopy, 1).with(.otherPrograms, 0.31),
      .sample(.precopy, 1).with(.converged, 0),
      .sample(.precopy, 1).with(.otherPrograms, 2).failing(),
    ]
    let text = try part("runs", runs)
    #expect(text.hasPrefix("Runs that count: 2 of 5. Excluded"))
    #expect(text.contains("0.3 processors meanwhile: 1; failed: 1; not converged: 1."))
    #expect(text.hasSuffix("Of 3 it is not known what other programs took."))
  }

  @Test("the table of exclusions has only points where a run was excluded")
  func excluded() throws {
    let runs = [
      Run.sample(.precopy, 8), .sample(.leafcutter, 4),
      .sample(.leafcutter, 6).with(.otherPrograms, 1),
    ]
    let text = try part("excluded", runs)
    #expect(!text.contains("| pre-copy |"))
    #expect(
      text.hasSuffix(
        "| methods | 1 Gbit/s, 50 % | Leafcutter | 4.00, n=1 | 5.00 (4.00–6.00), n=2 | 1 |"))
    #expect(try part("excluded", [runs[0]]) == "No run was excluded.")
  }

  @Test("each session has a row, which shows what the medians of all do not")
  func sessions() throws {
    func session(_ day: Int) -> Run.Session {
      .init(began: "2026-11-2\(day)", commit: "0abc\(day)")
    }
    var runs = Run.samples(.precopy, 16, 16) + Run.samples(.leafcutter, 5, 6)
    runs += Run.samples(.precopy, 16) + Run.samples(.leafcutter, 8)
    for index in runs.indices {
      runs[index].session = session(index < 4 ? 2 : 1)
      runs[index] = runs[index].with(.memoryLatency, index < 4 ? 180 : 300)
    }
    // Where Leafcutter was not run, there is nothing to compare.
    runs.append(Run.sample(.precopy, 16))
    let rows = try part("sessions", runs).split(separator: "\n").dropFirst(2)
    #expect(
      rows == [
        "| 2026-11-21 | 0abc1 | 300 (300–300) | 16.00 | 8.00 | – | – | 2.00 | – | 1 |",
        "| 2026-11-22 | 0abc2 | 180 (180–180) | 16.00 (16.00–16.00) | 5.50 (5.00–6.00) | – | – | 2.91 | – | 2 |",
      ])
  }

  @Test("costs add up wire and storage, and the refault to the total")
  func costs() throws {
    let leafcutter = Run.sample(.leafcutter, 6)
      .with(.wireBytes, 3e8).with(.storageBytesRead, 7e8)
    #expect(leafcutter.wireAndStorageBytes == 1e9)
    // It has not been seen to come back.
    #expect(leafcutter.secondsUntilCacheIsBack == nil)
    #expect(leafcutter.with(.refault, 8).secondsUntilCacheIsBack == 14)
    #expect(Run.sample(.precopy, 16).secondsUntilCacheIsBack == 16)
    #expect(Run.sample(.ideal, 3).secondsUntilCacheIsBack == nil)
    let back = leafcutter.with(.refault, 8)
    // In post-copy the refault begins before the migration's end.
    #expect(back.with(.observed, 12).secondsUntilCacheIsBack == 12)
    // The row has its number of runs, and a cell where it has fewer.
    let costs = try part("costs", [back, leafcutter])
    #expect(costs.contains("| Leafcutter (n=2) |"))
    #expect(costs.contains("| 1000 (1000–1000) | – | 8.0, n=1 | 14.0, n=1 |"))
  }
}
