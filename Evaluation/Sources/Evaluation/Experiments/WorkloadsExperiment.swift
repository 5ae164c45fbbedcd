import EvaluationReport
import Lab

/// Whether a migration comes to its end where clients ask as fast as they are answered, reading only,
/// with one update in twenty, and with one in two.
struct WorkloadsExperiment {
  let bench: Bench
  /// For a mix and a distribution of keys.
  let methods: (_ mix: String, _ keys: String) -> [Method]
  /// YCSB's letters.
  let mixes: [String]
  let keys: [String]
  /// Seconds after which a migration counts as one that does not converge, and is cancelled.
  let patience: Double
  let link: String
  let cacheShare: Int
  let repetitions: Int
  private static let threads = 4
  /// Seconds that they ask before the migration: the emulator translates the store's code meanwhile, and
  /// clients get faster for as long.
  private let before = 10.0
  /// Seconds that they are watched after the switchover.
  private let after = 5.0
  /// More than any guest can do: a client asks again as soon as it has its answer.
  private static let unlimitedRate = 1_000_000

  func execute(_ collector: Collector) throws(LabError) {
    let hosts = try TwoHosts(rate: link, files: bench.files)
    defer { hosts.tearDown() }
    let snapshots = SnapshotShelf(bench)
    defer { snapshots.clear() }
    for repetition in collector.repetitions(repetitions, of: .workloads) {
      for mix in mixes {
        for distribution in keys {
          for method in methods(mix, distribution).rotated(by: repetition - 1) {
            var run = Run(
              .workloads, method,
              .init(
                memory: bench.memory, processors: bench.processors, cacheShare: cacheShare,
                documents: bench.contents(filling: cacheShare).documents,
                link: link, mix: mix, keys: distribution, smallCache: method.smallCache,
                proxySocket: bench.proxySocket(of: method),
                patience: Int(patience), before: Int(before), after: Int(after)),
              repetition: repetition)
            try collector.carryOut(&run) { run throws(LabError) in
              var migration = MigrationRun(
                bench: bench, hosts: hosts,
                snapshot: try snapshots.snapshot(.init(method, cacheShare: cacheShare)),
                method: method, storage: nil,
                workload: "mix=\(mix) keys=\(distribution) seed=\(repetition) "
                  + "rate=\(WorkloadsExperiment.unlimitedRate) "
                  + "threads=\(WorkloadsExperiment.threads)")
              migration.before = before
              migration.after = after
              migration.timeout = patience
              migration.verifies = bench.verifies(method, repetition)
              try migration.execute(into: &run)
            }
          }
        }
      }
    }
  }
}
