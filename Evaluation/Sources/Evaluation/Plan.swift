import EvaluationReport
import Lab

/// What is measured: the options, and where they leave it open the full or the quick form.
struct Plan {
  private let scope: ScopeOptions
  private let quick: Bool
  /// The guest's, in MiB.
  let memory: Int
  let repetitions: Int
  let timeLimit: TimeLimit
  let points: [MethodsExperiment.Point]

  init(_ scope: ScopeOptions) {
    self.scope = scope
    let quick = scope.quick
    self.quick = quick
    // The smaller one is migrated faster, and has less cache to what every guest has besides.
    memory = scope.memory ?? (quick ? 1024 : 2048)
    repetitions = scope.repetitions ?? (quick ? 1 : 5)
    timeLimit = TimeLimit(
      minutes: scope.minutes ?? (quick ? Plan.quickMinutes : nil), over: scope.only.elements)
    // With 70 % of the memory in its cache the database runs out of memory before anybody migrates it.
    let shares = scope.shares?.elements ?? (quick ? [Goal.share] : [0, 25, Goal.share, 60])
    let all = Method.allCases.filter { $0 != .leafcutterNoRefault && $0 != .autoConverge }
    let methods = scope.methods?.elements ?? (quick ? Plan.wantedFirst(all) : all)
    var points = shares.map { share in
      // What the host's processors make of a wire without a limit is looked at once.
      let links =
        scope.links?.elements
        ?? [Goal.link, "10gbit"] + (share == Goal.share && !quick ? ["unshaped"] : [])
      return MethodsExperiment.Point(share: share, links: links, methods: methods)
    }
    // An emulated guest is ten to twenty times as slow as a real one, so this wire is to it what one of 1 to
    // 2 Gbit/s is to a real one. Every run takes minutes, so it is only the comparison that a goal asks for.
    if !quick, scope.links == nil, shares.contains(Goal.share) {
      let compared: [Method] = [.precopy, .leafcutter, .ideal]
      points.append(
        .init(
          share: Goal.share, links: [MethodsExperiment.slowLink],
          methods: compared.filter(methods.contains)))
    }
    self.points = points
  }

  /// Where time may be over before all of them have had their turn, those come first that the goals compare.
  private static func wantedFirst(_ methods: [Method]) -> [Method] {
    let first: [Method] = [.leafcutter, .ideal, .precopy, .postcopy, .shrunkCache, .multifd]
    return first.filter(methods.contains) + methods.filter { !first.contains($0) }
  }

  /// Beside them come building and the last run's end, all within 20.
  private static let quickMinutes = 14.0

  /// Where clients write, WiredTiger takes half as much memory again as its cache is large, and with
  /// ``Goal/share`` of it in the cache a guest has run out of memory.
  private static let shareOfWriters = 40

  /// Those of an experiment that were not left out.
  private func only(_ wanted: [Method]) -> [Method] {
    guard let chosen = scope.methods?.elements else { return wanted }
    return wanted.filter(chosen.contains)
  }

  func execute(
    _ experiment: Experiment, on bench: Bench, _ collector: Collector
  ) throws(LabError) {
    switch experiment {
    case .methods:
      try MethodsExperiment(
        bench: bench, points: points, repetitions: repetitions, rate: scope.rate
      ).execute(collector)
    case .memory:
      try MemoryExperiment(
        bench: bench, databaseShares: quick ? [15, 90] : [10, 25, 50, 75, 100, 150],
        cacheShare: Goal.share, repetitions: repetitions
      ).execute(collector)
    case .workloads:
      try WorkloadsExperiment(
        bench: bench, methods: methods(ofMix:keys:), mixes: quick ? ["C", "A"] : ["C", "B", "A"],
        keys: quick ? ["zipfian"] : ["uniform", "zipfian"], patience: quick ? 30 : 60,
        link: Goal.link, cacheShare: Plan.shareOfWriters, repetitions: repetitions
      ).execute(collector)
    case .service:
      let methods =
        only([.precopy, .postcopyEarly, .leafcutter, .leafcutterNoRefault])
        + (quick ? [] : only([.shrunkCache]))
      try ServiceExperiment(
        bench: bench, methods: methods, link: Goal.link, cacheShare: Goal.share,
        repetitions: repetitions, rate: scope.serviceRate, storage: scope.storage,
        before: quick ? 10 : 30, after: quick ? 30 : 60
      ).execute(collector)
    }
  }

  /// What QEMU has for guests that write faster than is sent is tried where they do.
  func methods(ofMix mix: String, keys: String) -> [Method] {
    let isWriting = mix != "C" && keys == "zipfian" && !quick
    return only(
      isWriting
        ? [.precopy, .autoConverge, .xbzrle, .postcopy, .leafcutter] : [.precopy, .leafcutter])
  }
}
