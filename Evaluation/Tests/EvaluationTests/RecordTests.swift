import FoundationEssentials
import Lab
import Testing

@testable import EvaluationReport

@Suite("Raw data, tables and goals")
struct RecordTests {
  private func run(
    _ method: Method, _ total: Double?, link: String = "1gbit", share: Int = 50,
    failure: String? = nil
  ) -> Run {
    var run = Run(
      .methods, method,
      .init(memory: 1024, cacheShare: share, documents: 470_000, link: link, mix: "C", rate: 100),
      repetition: 1)
    run[.total] = total
    run.failure = failure
    return run
  }

  private func record(_ runs: [Run]) -> EvaluationRecord {
    var record = EvaluationRecord(machine: ["processors": "2"])
    record.runs = runs
    return record
  }

  @Test("raw data is read as it was written, and its keys are the figures' names")
  func roundTrip() throws {
    let file = "/tmp/evaluation-record-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: file) }
    var one = run(.leafcutter, 3.25)
    one.stretches = [.init(start: -1, operationsPerSecond: 5, p99: 2)]
    try record([one]).write(toFile: file)
    let text = String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
    #expect(text.contains("\"total_s\" : 3.25") && text.contains("\"method\" : \"leafcutter\""))
    let read = try EvaluationRecord(file: file)
    #expect(read.runs.count == 1 && read.runs[0][.total] == 3.25)
    #expect(read.runs[0].stretches?.count == 1 && read.runs[0][.prepare] == nil)
  }

  @Test("what is no raw data is refused by a sentence that names the file")
  func refused() {
    #expect(throws: LabError.self) { try EvaluationRecord(file: "/proc/self/status") }
    #expect(throws: LabError.self) { try EvaluationRecord(file: "/nowhere/raw.json") }
  }

  @Test("runs that failed count for nothing, and medians are those of the others")
  func medians() {
    let runs = record([
      run(.leafcutter, 3), run(.leafcutter, 100, failure: "no"), run(.leafcutter, 5),
      run(.leafcutter, 4),
    ]).runs(of: .methods, .leafcutter)
    #expect(runs.distribution(of: .total)?.median == 4)
    #expect(Table.cell(runs.distribution(of: .total), digits: 1) == "4.0 (3.0–5.0)")
    #expect(Table.cell(runs.distribution(of: .prepare), digits: 1) == "–")
  }

  @Test("a run that other programs disturbed is kept, and not reckoned with")
  func disturbed() {
    var runs = [run(.leafcutter, 9), run(.leafcutter, 3)]
    runs[0][.otherPrograms] = 0.9
    runs[1][.otherPrograms] = 0.1
    #expect(record(runs).runs.count == 2)
    #expect(record(runs).runs(of: .methods).distribution(of: .total)?.most == 3)
  }

  @Test("a goal is met at its limit, missed beyond it, and not measured without runs")
  func goals() {
    let goal = Goal.all[0]
    #expect(goal.line(in: record([])).hasSuffix("not measured"))
    #expect(goal.line(in: record([run(.leafcutter, 2.3), run(.ideal, 2)])).hasSuffix("; met"))
    #expect(goal.line(in: record([run(.leafcutter, 2.4), run(.ideal, 2)])).hasSuffix("; missed"))
    let elsewhere = record([run(.leafcutter, 2, link: "10gbit"), run(.ideal, 2, share: 25)])
    #expect(goal.line(in: elsewhere).hasSuffix("not measured"))
  }

  @Test("Leafcutter is compared with the fastest rival, and the ideal is none")
  func rivals() throws {
    let goal = try #require(Goal.all.first { $0.name.hasSuffix("rival at 1gbit") })
    let runs = [run(.ideal, 1), run(.precopy, 9), run(.balloon, 4), run(.leafcutter, 4.2)]
    #expect(goal.line(in: record(runs)).hasSuffix("; missed"))
    #expect(goal.line(in: record(runs + [run(.leafcutterMultifd, 3.9)])).hasSuffix("; met"))
  }

  @Test("where 90 % were not reached, the time counts for which it was observed")
  func notReached() {
    var runs = [run(.leafcutter, 1), run(.leafcutter, 1)]
    runs[0][.secondsTo90] = 4
    runs[1][.observedAfter] = 60
    #expect(runs.timesTo90?.most == 60)
  }

  @Test("a generated part replaces what stood between its markers, and nothing else")
  func markers() throws {
    var text = MarkedText("a\n<!-- goals -->\nold\n<!-- end goals -->\nb\n")
    try text.set("goals", to: "new")
    #expect(text.text == "a\n<!-- goals -->\n\nnew\n\n<!-- end goals -->\nb\n")
    try text.set("goals", to: "newer")
    #expect(text.text == "a\n<!-- goals -->\n\nnewer\n\n<!-- end goals -->\nb\n")
    #expect(text.names == ["goals"])
    #expect(throws: LabError.self) { try text.set("costs", to: "x") }
  }

  @Test("every part that the program makes has rows for what was measured")
  func presentation() throws {
    let presentation = try Presentation(
      record([run(.precopy, 9), run(.leafcutter, 4, link: "10gbit")]))
    let total = presentation.parts.first { $0.name == "total" }?.text ?? ""
    #expect(total.contains("| pre-copy | 9.00 | – |"))
    #expect(total.contains("| Leafcutter | – | 4.00 |"))
    #expect(presentation.parts.first { $0.name == "service" }?.text == "Not measured yet.")
    #expect(presentation.drawings.map(\.name) == ["total", "bytes", "downtime"])
  }
}
