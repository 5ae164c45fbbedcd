@testable import EvaluationReport

extension EvaluationRecord {
  /// Runs of every experiment with every method, of which every drawing can be made: those of experiment
  /// methods at 1 Gbit/s, and over that link with two cache sizes.
  static func sampleOfEverything(link: String) -> EvaluationRecord {
    let methods = Method.allCases.flatMap { method in
      [
        Run.sample(method, 9), .sample(method, 12, link: link, share: 25),
        .sample(method, 9, link: link),
      ]
    }
    let workloads = Method.allCases.map { method in
      var run = Run.sample(method, 30)
      run.experiment = .workloads
      run.conditions.mix = "A"
      return run
    }
    let services = Method.allCases.map { method in
      var run = Run.sampleOfService(method, secondsTo90: 5)
      run.stretches = (-9...9).map {
        .init(start: Double($0), operationsPerSecond: 1000, p99: 100)
      }
      return run
    }
    var memory = Run.sample(.precopy, nil)
    memory.experiment = .memory
    memory.method = nil
    let runs = methods + workloads + services + [memory.with(.database, 4e9)]
    return .sample(
      runs.map { run in
        run.with(.wireBytes, 2e9).with(.downtimeClient, 300).with(.sourceProcessor, 10)
          .with(.cacheUsed, 1e9)
      })
  }
}
