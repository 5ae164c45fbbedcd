import EvaluationReport
import Lab

/// What clients of the database see, from before the migration to long after it. Clients ask at a rate
/// that the cache can serve and the storage cannot, in an open loop, for documents that are all alike
/// popular; so whoever arrives with a cold cache is slow until it is warm.
struct ServiceExperiment {
  let bench: Bench
  let methods: [Method]
  let link: String
  let cacheShare: Int
  let repetitions: Int
  /// Operations per second.
  let rate: Int
  let storage: StorageLimit
  /// Seconds before `migrate`, and after the switchover.
  let before: Double
  let after: Double
  private static let threads = 8

  /// A single hard disk. In a guest that is emulated, and ten times slower than on hardware, it is to its
  /// database what a cloud volume of a thousand operations a second is to one there. A leaf that is read by
  /// itself costs an operation, and leaves that are read in the order of the file share them.
  static let storage = StorageLimit(operationsPerSecond: 120, bytesPerSecond: 100_000_000)

  func execute(_ collector: Collector) throws(LabError) {
    let hosts = try TwoHosts(rate: link, files: bench.files)
    defer { hosts.tearDown() }
    let snapshots = SnapshotShelf(bench)
    defer { snapshots.clear() }
    for repetition in collector.repetitions(repetitions, of: .service) {
      for method in methods.rotated(by: repetition - 1) {
        var run = Run(
          .service, method,
          .init(
            memory: bench.memory, processors: bench.processors, cacheShare: cacheShare,
            documents: bench.contents(filling: cacheShare).documents,
            link: link, mix: "C", keys: "uniform", rate: rate,
            storageLimit: storage.operationsPerSecond,
            storageMegabytes: storage.bytesPerSecond / 1_000_000, smallCache: method.smallCache,
            proxySocket: bench.proxySocket(of: method),
            before: Int(before), after: Int(after)),
          repetition: repetition)
        try collector.carryOut(&run) { run throws(LabError) in
          var migration = MigrationRun(
            bench: bench, hosts: hosts,
            snapshot: try snapshots.snapshot(.init(method, cacheShare: cacheShare)), method: method,
            storage: storage,
            workload: "mix=C keys=uniform rate=\(rate) seed=\(repetition) "
              + "threads=\(ServiceExperiment.threads)")
          migration.before = before
          migration.after = after
          migration.keepsStretches = true
          migration.verifies = bench.verifies(method, repetition)
          try migration.execute(into: &run)
        }
      }
    }
  }
}
