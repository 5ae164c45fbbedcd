@testable import EvaluationReport

extension Run {
  /// A run of experiment methods that took so many seconds.
  static func sample(
    _ method: Method, _ total: Double?, repetition: Int = 1, link: String = "1gbit",
    share: Int = 50
  ) -> Run {
    var run = Run(
      .methods, method,
      .init(
        memory: 1024, processors: 2, cacheShare: share, documents: 470_000, link: link, mix: "C",
        rate: 100),
      repetition: repetition)
    run[.total] = total
    return run
  }

  /// One for each time, in repetitions from 1 on.
  static func samples(_ method: Method, _ totals: Double...) -> [Run] {
    zip(1..., totals).map { sample(method, $1, repetition: $0) }
  }

  static func sampleOfService(
    _ method: Method, secondsTo90: Double?, repetition: Int = 1
  ) -> Run {
    var run = Run(
      .service, method, .init(memory: 1024, processors: 2, cacheShare: 50, documents: 470_000),
      repetition: repetition)
    run[.secondsTo90] = secondsTo90
    run[.observedAfter] = 60
    return run
  }

  func with(_ figure: Figure, _ value: Double) -> Run {
    var run = self
    run[figure] = value
    return run
  }

  func failing() -> Run {
    var run = self
    run.failure = "no"
    return run
  }
}

extension EvaluationRecord {
  static func sample(_ runs: [Run]) -> EvaluationRecord {
    var record = EvaluationRecord(machine: ["processors": "2"])
    record.runs = runs
    return record
  }
}
