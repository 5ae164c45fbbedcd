import Lab

extension Experiment {
  /// The conditions that its tables and drawings vary, by their names in ``Run/Conditions/described``; all
  /// the others have to be the same in all its runs.
  fileprivate var varied: Set<String> {
    switch self {
    case .memory: ["documents"]
    // How many documents there are follows from the cache share.
    case .methods: ["link", "cache share", "documents"]
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
      "cache share": "\(cacheShare) %",
      "documents": "\(documents)",
      "link": link,
      "mix": mix,
      "keys": keys,
      "rate": rate.map { "\($0) per second" } ?? "unlimited",
      "storage limit": storageLimit.map { "\($0) operations per second" } ?? "none",
      "storage bandwidth": storageMegabytes.map { "\($0) MB per second" } ?? "none",
    ]
  }
}

extension EvaluationRecord {
  /// Adds the runs of other raw data.
  ///
  /// - Parameter file: where the other raw data comes from, for the error.
  /// - Throws: where it was measured on another machine, as far as both say what theirs is.
  public mutating func add(_ other: EvaluationRecord, from file: String) throws(LabError) {
    if let difference = EvaluationRecord.difference(machine, other.machine) {
      throw LabError(
        "\(file) was measured on another machine, with other \(difference): draw its runs into a "
          + "document of their own")
    }
    runs += other.runs
  }

  /// Medians are those of runs under the same conditions.
  ///
  /// - Throws: where runs of one experiment differ in what its tables do not tell apart.
  public func requireComparableRuns() throws(LabError) {
    for experiment in Experiment.allCases {
      let conditions = runs.filter { $0.experiment == experiment }.map { run in
        run.conditions.described.filter { !experiment.varied.contains($0.key) }
      }
      for other in conditions.dropFirst() {
        guard let difference = EvaluationRecord.difference(conditions[0], other) else { continue }
        throw LabError(
          "the runs of experiment \(experiment.rawValue) differ in \(difference): their figures do not "
            + "belong into one table, so draw their raw data apart")
      }
    }
  }

  /// The first of the names that both have with different values, and those values.
  private static func difference(_ one: [String: String], _ other: [String: String]) -> String? {
    for (name, value) in one.sorted(by: { $0.key < $1.key }) {
      guard let second = other[name], second != value else { continue }
      return "\(name) (\(value) and \(second))"
    }
    return nil
  }
}
