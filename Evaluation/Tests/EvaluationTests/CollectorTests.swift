import EvaluationReport
import FoundationEssentials
import Lab
import Testing

@testable import leafcutter_evaluation

@Suite("How runs are collected")
struct CollectorTests {
  private static let session = Run.Session(began: "2026-11-29T06:00:00Z", commit: "0123456")

  /// A collector without a guest, in a directory of its own.
  private func withCollector(
    quick: Bool = false, _ body: (Collector, _ file: String) throws -> Void
  ) throws {
    let directory = FileManager.default.temporaryDirectory
      .appending(path: "leafcutter-evaluation-tests-\(UUID().uuidString)").path
    let files = try LabFiles(state: directory, keepsLogs: false)
    defer {
      try? FileManager.default.removeItem(atPath: directory)
      try? FileManager.default.removeItem(atPath: files.sockets)
    }
    let bench = Bench(
      files: files, state: directory, guestDirectory: "", proxyProgram: "", storeProgram: "",
      memory: 1024, processors: 2, accelerator: "tcg", isQuick: quick)
    let file = "\(directory)/raw.json"
    try body(
      try Collector(.sample([]), session: CollectorTests.session, file: file, bench: bench), file)
  }

  private func run(_ number: Int = 1) -> Run { Run.sample(.precopy, nil, repetition: number) }

  @Test(
    "a disturbed run is carried out once more, and both stay in the raw data")
  func disturbed() throws {
    try withCollector { collector, file in
      var shares = [0.4, 0.1]
      var run = run()
      try collector.carryOut(&run) { $0[.otherPrograms] = shares.removeFirst() }
      #expect(shares.isEmpty)
      #expect(run[.otherPrograms] == 0.1)
      let written = try EvaluationRecord(file: file)
      #expect(written.runs.map { $0[.otherPrograms] } == [0.4, 0.1])
      #expect(written.countedRuns(of: .methods).count == 1)
      #expect(written.runs.allSatisfy { ($0[.memoryLatency] ?? 0) > 0 })
      #expect(written.runs.allSatisfy { $0.session == CollectorTests.session })
    }
  }

  @Test(
    "in the quick form only what a goal hangs on is carried out once more",
    arguments: [
      (Run.sample(.leafcutter, nil), 2), (.sample(.ideal, nil), 2), (.sample(.xbzrle, nil), 1),
      (.sample(.leafcutter, nil, link: "10gbit"), 1), (.sample(.leafcutter, nil, share: 25), 1),
      (.sampleOfService(.leafcutterNoRefault, secondsTo90: nil), 2),
    ])
  func disturbedQuickly(run: Run, times: Int) throws {
    try withCollector(quick: true) { collector, _ in
      var count = 0
      var run = run
      try collector.carryOut(&run) { run in
        count += 1
        run[.otherPrograms] = 1
      }
      #expect(count == times)
    }
  }

  @Test("when time is over no run begins, and none is carried out once more")
  func deadline() throws {
    try withCollector { collector, _ in
      var count = 0
      var run = run()
      try collector.carryOut(&run) { run in
        count += 1
        run[.otherPrograms] = 1
        collector.deadline = HostClock.now
      }
      try collector.carryOut(&run) { _ in count += 1 }
      #expect(count == 1)
      #expect(collector.failures == 0)
    }
  }

  @Test("a run that fails is counted, is written down with its reason, and the others go on")
  func failure() throws {
    try withCollector { collector, file in
      var run = run()
      try collector.carryOut(&run) { _ throws(LabError) in throw LabError("no guest boots") }
      #expect(collector.failures == 1)
      let written = try EvaluationRecord(file: file)
      #expect(written.runs.map(\.failure) == ["no guest boots"])
    }
  }

  @Test("what cannot stand beside the runs that are there is refused before it is measured")
  func incomparable() throws {
    try withCollector { collector, file in
      var run = run()
      try collector.carryOut(&run) { _ in }
      run.conditions.memory *= 2
      let error = #expect(throws: LabError.self) {
        try collector.carryOut(&run) { _ in Issue.record("it began") }
      }
      #expect(error?.sentence.contains(file) == true && error?.sentence.contains("memory") == true)
      #expect(collector.record.runs.count == 1)
    }
  }

  @Test("repetitions go on counting where raw data is appended to, at each point by itself")
  func numbering() throws {
    try withCollector { collector, _ in
      for number in 1...3 {
        var run = run(number)
        try collector.carryOut(&run) { _ in }
      }
      #expect(collector.repetitions(2, of: .methods, share: 50, link: "1gbit") == 4...5)
      #expect(collector.repetitions(2, of: .methods, share: 50, link: "10gbit") == 1...2)
      #expect(collector.repetitions(2, of: .methods, share: 25, link: "1gbit") == 1...2)
      #expect(collector.repetitions(5, of: .service) == 1...5)
    }
  }

  @Test("what the measured programs take is not taken for other programs'")
  func otherPrograms() {
    #expect(CostAccount.otherPrograms(host: 20, ours: [10, 4, 1, 1], in: 10) == 0.4)
    // How far the clocks disagree stays visible.
    #expect(CostAccount.otherPrograms(host: 8, ours: [10], in: 10) == -0.2)
  }
}
