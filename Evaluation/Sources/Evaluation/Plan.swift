import EvaluationReport
import Lab

/// What is measured: the options, and where they leave it open the full or the quick form.
struct Plan {
  private let scope: ScopeOptions
  let repetitions: Int
  let shares: [Int]
  let links: [String]
  let methods: [Method]

  init(_ scope: ScopeOptions) {
    self.scope = scope
    let quick = scope.quick
    repetitions = scope.repetitions ?? (quick ? 1 : 5)
    shares = scope.shares?.elements ?? (quick ? [50] : [0, 25, 50, 70])
    links =
      scope.links?.elements ?? (quick ? ["1gbit", "10gbit"] : ["1gbit", "10gbit", "unshaped"])
    methods =
      scope.methods?.elements ?? Method.allCases.filter { $0 != .leafcutterNoRefault }
  }

  func execute(
    _ experiment: Experiment, on bench: Bench, _ collector: Collector
  ) throws(LabError) {
    switch experiment {
    case .methods:
      try MethodsExperiment(
        bench: bench, methods: methods, shares: shares, links: links, repetitions: repetitions,
        rate: scope.rate
      ).execute(collector)
    case .memory, .workloads, .service: break
    }
  }
}
