import EvaluationReport
import Lab

/// Every method against cache size and link. What each costs is read from the same runs.
struct MethodsExperiment {
  let bench: Bench
  let points: [Point]
  let repetitions: Int
  /// Operations per second, all of them reads; a tenth of that on ``slowLink``.
  let rate: Int
  private static let threads = 4

  /// A tenth of the slowest of the others. Clients ask for a tenth on it, because a leaf that is read back
  /// while a guest is migrated is sent: 100 of them a second are as much as this wire carries.
  static let slowLink = "100mbit"

  static func rate(_ rate: Int, on link: String) -> Int {
    link == MethodsExperiment.slowLink ? max(1, rate / 10) : rate
  }

  /// Seconds: the slowest wire takes almost three minutes for a guest of 2 GiB.
  private static let timeout = 400.0

  /// A cache size, and the wires on which it is measured.
  struct Point: Equatable {
    /// Of the guest's memory, in per cent.
    var share: Int
    /// Rates as tc writes them, or `unshaped`.
    var links: [String]
    /// In turn, so that whatever else the machine does meets all of them.
    var methods: [Method]
  }

  func execute(_ collector: Collector) throws(LabError) {
    for point in points { try execute(point, collector) }
  }

  private func execute(_ point: Point, _ collector: Collector) throws(LabError) {
    let share = point.share
    // With nothing in its cache every guest is the ideal one.
    let methods = share == 0 ? point.methods.filter { $0 != .ideal } : point.methods
    let snapshots = SnapshotShelf(bench)
    defer { snapshots.clear() }
    for link in point.links {
      let rate = MethodsExperiment.rate(self.rate, on: link)
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
              memory: bench.memory, processors: bench.processors, cacheShare: share,
              documents: bench.contents(filling: share).documents,
              link: link,
              mix: "C", keys: "zipfian", rate: rate, smallCache: method.smallCache,
              proxySocket: bench.proxySocket(of: method)),
            repetition: repetition)
          try collector.carryOut(&run) { run throws(LabError) in
            var migration = MigrationRun(
              bench: bench, hosts: hosts, snapshot: try snapshots.snapshot(variant),
              method: method, storage: nil,
              workload: "mix=C rate=\(rate) threads=\(MethodsExperiment.threads) seed=\(repetition)"
            )
            migration.verifies = bench.verifies(method, repetition)
            migration.timeout = MethodsExperiment.timeout
            try migration.execute(into: &run)
          }
        }
      }
    }
  }
}
