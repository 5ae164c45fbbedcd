import Lab
import Testing

@testable import EvaluationReport

@Suite("Which runs may stand in one table")
struct ComparabilityTests {
  private static let plain = Run.Conditions(
    memory: 1024, processors: 2, cacheShare: 50, documents: 470_000, link: "1gbit", mix: "C",
    rate: 100, storageLimit: 500, storageMegabytes: 100)

  private func record(
    _ experiment: Experiment, _ conditions: Run.Conditions...
  ) -> EvaluationRecord {
    var record = EvaluationRecord(machine: ["processors": "2", "kernel": "6.12"])
    record.runs = conditions.map { Run(experiment, .precopy, $0, repetition: 1) }
    return record
  }

  /// One change each, and the condition that the refusal has to name.
  struct Change: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let make: @Sendable (inout Run.Conditions) -> Void
  }

  @Test(
    "runs of one experiment that differ in what no table tells apart are refused",
    arguments: [
      Change(testDescription: "memory (1024 MiB and 2048 MiB)") { $0.memory = 2048 },
      Change(testDescription: "rate (100 per second and unlimited)") { $0.rate = nil },
      Change(testDescription: "storage limit") { $0.storageLimit = 1000 },
      Change(testDescription: "storage bandwidth") { $0.storageMegabytes = nil },
      Change(testDescription: "keys") { $0.keys = "uniform" },
      Change(testDescription: "processors (2 and 4)") { $0.processors = 4 },
      Change(testDescription: "patience (none and 30 s)") { $0.patience = 30 },
      Change(testDescription: "time after (none and 60 s)") { $0.after = 60 },
    ])
  func mixtures(_ change: Change) throws {
    var changed = ComparabilityTests.plain
    change.make(&changed)
    let mixed = record(.methods, ComparabilityTests.plain, changed)
    let error = try #require(throws: LabError.self) { try Presentation(mixed) }
    #expect(error.sentence.contains("experiment methods"))
    #expect(error.sentence.contains(change.testDescription))
  }

  @Test("how much of the cache is left differs between methods, and not within one table")
  func smallCaches() throws {
    var small = ComparabilityTests.plain
    small.smallCache = 12
    try record(.methods, ComparabilityTests.plain, small).requireComparableRuns()
    var large = small
    large.smallCache = 32
    let error = try #require(throws: LabError.self) {
      try record(.methods, small, large).requireComparableRuns()
    }
    #expect(error.sentence.contains("small cache (12 MiB and 32 MiB)"))
    // At another point it may be another, and the table says so.
    large.link = "10gbit"
    let parts = try Presentation(record(.methods, small, large)).parts
    let total = try #require(parts.first { $0.name == "total" }).text
    #expect(
      total.contains(
        "| 1 Gbit/s, 50 % (small cache 12 MiB) | 10 Gbit/s, 50 % (small cache 32 MiB) |"))
  }

  @Test("what an experiment varies may differ")
  func varied() throws {
    var changed = ComparabilityTests.plain
    changed.link = "10gbit"
    changed.cacheShare = 25
    changed.rate = 10
    try record(.methods, ComparabilityTests.plain, changed).requireComparableRuns()
    #expect(throws: LabError.self) {
      try record(.service, ComparabilityTests.plain, changed).requireComparableRuns()
    }
    // On one link they are asked for alike.
    changed.link = "1gbit"
    #expect(throws: LabError.self) {
      try record(.methods, ComparabilityTests.plain, changed).requireComparableRuns()
    }
    changed = ComparabilityTests.plain
    changed.mix = "A"
    try record(.workloads, ComparabilityTests.plain, changed).requireComparableRuns()
    changed = ComparabilityTests.plain
    changed.documents = 100
    try record(.memory, ComparabilityTests.plain, changed).requireComparableRuns()
  }

  @Test("experiments may have conditions of their own")
  func experiments() throws {
    var changed = ComparabilityTests.plain
    changed.memory = 2048
    var both = record(.service, ComparabilityTests.plain)
    both.runs += record(.methods, changed).runs
    try both.requireComparableRuns()
  }

  @Test("raw data of another machine is refused by a sentence that names file and difference")
  func machines() throws {
    var record = record(.methods, ComparabilityTests.plain)
    var other = record
    try record.add(other, from: "same.json")
    #expect(record.runs.count == 2)
    other.machine["processors"] = "64"
    let error = try #require(throws: LabError.self) { try record.add(other, from: "other.json") }
    #expect(error.sentence.contains("other.json"))
    #expect(error.sentence.contains("processors (2 and 64)"))
    #expect(record.runs.count == 2)
  }

  @Test("an experiment of another machine is taken, and the document says which was measured where")
  func experimentElsewhere() throws {
    var record = record(.methods, ComparabilityTests.plain)
    var other = self.record(.service, ComparabilityTests.plain)
    other.machine["processors"] = "64"
    try record.add(other, from: "other.json")
    let part = try #require(try Presentation(record).parts.first { $0.name == "machine" })
    #expect(part.text.contains("|  | methods | service |"))
    #expect(part.text.contains("| processors | 2 | 64 |"))
    // More of either has to be of the machine that it was measured on.
    var more = self.record(.service, ComparabilityTests.plain)
    #expect(throws: LabError.self) { try record.add(more, from: "more.json") }
    more.machine["processors"] = "64"
    try record.add(more, from: "more.json")
    #expect(record.runs.count == 3)
  }

  @Test("runs are not appended to those of another machine")
  func appending() throws {
    let record = record(.methods, ComparabilityTests.plain)
    try record.requireSameMachine(record.machine)
    var now = record.machine
    now["kernel"] = "6.18"
    let error = try #require(throws: LabError.self) { try record.requireSameMachine(now) }
    #expect(error.sentence.contains("kernel (6.12 and 6.18)"))
  }

  @Test("raw data that says less of its machine is refused: nobody knows whether it is the same")
  func olderDescription() throws {
    var record = record(.methods, ComparabilityTests.plain)
    var other = record
    other.machine["kernel"] = nil
    let error = try #require(throws: LabError.self) { try record.add(other, from: "older.json") }
    #expect(error.sentence.contains("kernel (6.12 and not known)"))
  }
}
