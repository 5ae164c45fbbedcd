import Lab

extension Experiment {
  /// The conditions that its tables and drawings vary, by their names in ``Run/Conditions/described``; all
  /// the others have to be the same in all its runs.
  fileprivate var varied: Set<String> {
    switch self {
    case .memory: ["documents"]
    // How many documents there are follows from the cache share, and how many are read from the link.
    case .methods: ["link", "cache share", "documents", "rate"]
    case .workloads: ["mix", "keys"]
    case .service: []
    }
  }
}

extension Run.Conditions {
  /// Each condition in words, by name.
  fileprivate var described: [String: String] {
    [
      "memory": "\(memory) MiB",
      "processors": "\(processors)",
      "cache share": "\(cacheShare) %",
      "documents": "\(documents)",
      "link": link,
      "mix": mix,
      "keys": keys,
      "rate": rate.map { "\($0) per second" } ?? "unlimited",
      "storage limit": storageLimit.map { "\($0) operations per second" } ?? "none",
      "storage bandwidth": storageMegabytes.map { "\($0) MB per second" } ?? "none",
      "patience": patience.map { "\($0) s" } ?? "none",
      "time before": before.map { "\($0) s" } ?? "none",
      "time after": after.map { "\($0) s" } ?? "none",
    ]
  }
}

extension EvaluationRecord {
  /// Adds the runs of other raw data. What is compared are runs of one experiment, so those have to be of
  /// one machine, and others may be of another.
  ///
  /// - Parameter file: where the other raw data comes from, for the error.
  /// - Throws: where an experiment was measured on two machines.
  package mutating func add(_ other: EvaluationRecord, from file: String) throws(LabError) {
    let measured = Set(runs.map(\.experiment))
    for experiment in Set(other.runs.map(\.experiment)) {
      let machine = other.machine(of: experiment)
      guard measured.contains(experiment) else {
        otherMachines[experiment] = machine
        continue
      }
      if let difference = EvaluationRecord.difference(self.machine(of: experiment), machine) {
        throw LabError(
          "the runs of experiment \(experiment.rawValue) in \(file) were measured on another machine, with "
            + "other \(difference): draw them into a document of their own")
      }
    }
    runs += other.runs
  }

  /// - Throws: where more runs cannot be added to these, because they would be of another machine.
  package func requireSameMachine(_ now: [String: String]) throws(LabError) {
    guard let difference = EvaluationRecord.difference(machine, now) else { return }
    throw LabError(
      "its runs were measured on another machine, with other \(difference): write those of this one to "
        + "a file of their own")
  }

  /// Medians are those of runs under the same conditions.
  ///
  /// - Throws: where runs of one experiment differ in what its tables do not tell apart.
  package func requireComparableRuns() throws(LabError) {
    for experiment in Experiment.allCases {
      let runs = runs.filter { $0.experiment == experiment }
      let conditions = runs.map(\.conditions.described)
      try EvaluationRecord.requireSame(
        conditions.map { $0.filter { !experiment.varied.contains($0.key) } }, in: experiment)
      // Which methods leave a small cache is the methods' affair, and how small is not; tables name it where it
      // differs from point to point.
      for atOnePoint in Dictionary(grouping: runs, by: { Point(of: $0) }).values {
        try EvaluationRecord.requireSame(
          atOnePoint.compactMap(\.conditions.smallCache).map { ["small cache": "\($0) MiB"] },
          in: experiment)
        try EvaluationRecord.requireSame(
          atOnePoint.compactMap(\.conditions.proxySocket).map { ["proxy's socket": $0] },
          in: experiment)
      }
      for onOneLink in Dictionary(grouping: conditions, by: { $0["link"] }).values {
        try EvaluationRecord.requireSame(
          onOneLink.map { $0.filter { $0.key == "rate" } }, in: experiment)
      }
    }
  }

  private static func requireSame(
    _ conditions: [[String: String]], in experiment: Experiment
  ) throws(LabError) {
    for other in conditions.dropFirst() {
      guard let difference = difference(conditions[0], other) else { continue }
      throw LabError(
        "the runs of experiment \(experiment.rawValue) differ in \(difference): their figures do not "
          + "belong into one table, so draw their raw data apart")
    }
  }

  /// The first of the names whose values differ, and those values.
  private static func difference(_ one: [String: String], _ other: [String: String]) -> String? {
    for name in Set(one.keys).union(other.keys).sorted() where one[name] != other[name] {
      return "\(name) (\(one[name] ?? "not known") and \(other[name] ?? "not known"))"
    }
    return nil
  }
}
