import EvaluationReport
import Lab

/// Every method against cache size and link. What each costs is read from the same runs.
struct MethodsExperiment {
  let bench: Bench
  /// In turn, so that whatever else the machine does meets all of them.
  let methods: [Method]
  let points: [Point]
  let repetitions: Int
  /// Operations per second, all of them reads.
  let rate: Int
  private static let threads = 4

  /// A cache size, and the wires on which it is measured.
  struct Point: Equatable {
    /// Of the guest's memory, in per cent.
    var share: Int
    /// Rates as tc writes them, or `unshaped`.
    var links: [String]
  }

  func execute(_ collector: Collector) throws(LabError) {
    for point in points { try execute(point.share, over: point.links, collector) }
  }

  private func execute(
    _ share: Int, over links: [String], _ collector: Collector
  ) throws(LabError) {
    // With nothing in its cache every guest is the ideal one.
    let methods = share == 0 ? methods.filter { $0 != .ideal } : methods
    let snapshots = SnapshotShelf(bench)
    defer { snapshots.clear() }
    for link in links {
      let hosts = try TwoHosts(rate: link == "unshaped" ? nil : link, files: bench.files)
      defer { hosts.tearDown() }
      for repetition in collector.repetitions(repetitions, of: .methods, share: share, link: link) {
        // Whoever comes first meets a warm host or a cold one; so nobody always does.
        for method in methods.rotated(by: repetition - 1) {
          var variant = GuestSnapshot.Variant(method, cacheShare: share)
          if share == 0 { variant.isWarm = false }
          var run = Run(
            .methods, method,
            .init(
              memory: bench.memory, cacheShare: share,
              documents: bench.contents(filling: share).documents,
              link: link,
              mix: "C", keys: "zipfian", rate: rate),
            repetition: repetition)
          collector.carryOut(&run) { run throws(LabError) in
            var migration = MigrationRun(
              bench: bench, hosts: hosts, snapshot: try snapshots.snapshot(variant),
              method: method, storage: nil,
              workload: "mix=C rate=\(rate) threads=\(MethodsExperiment.threads) seed=\(repetition)"
            )
            migration.verifies = bench.verifies(method, repetition)
            try migration.execute(into: &run)
          }
        }
      }
    }
  }
}
