import EvaluationReport
import Lab

/// Whether a migration comes to its end where clients ask as fast as they are answered, reading only,
/// with one update in twenty, and with one in two.
struct WorkloadsExperiment {
  let bench: Bench
  let methods: [Method]
  /// YCSB's letters.
  let mixes: [String]
  let keys: [String]
  let link: String
  let cacheShare: Int
  let repetitions: Int
  /// Seconds after which a migration counts as one that does not converge, and is cancelled.
  static let patience = 60.0
  private static let threads = 4
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
          for method in methods {
            let snapshot = try snapshots.snapshot(.init(method, cacheShare: cacheShare))
            var run = Run(
              .workloads, method,
              .init(
                memory: bench.memory, cacheShare: cacheShare, documents: snapshot.documents,
                link: link, mix: mix, keys: distribution),
              repetition: repetition)
            collector.carryOut(&run) { run throws(LabError) in
              var migration = MigrationRun(
                bench: bench, hosts: hosts, snapshot: snapshot, method: method, storage: nil,
                workload: "mix=\(mix) keys=\(distribution) seed=\(repetition) "
                  + "rate=\(WorkloadsExperiment.unlimitedRate) "
                  + "threads=\(WorkloadsExperiment.threads)")
              migration.timeout = WorkloadsExperiment.patience
              migration.verifies = repetition % 5 == 1 && method.usesLeafcutter
              try migration.execute(into: &run)
            }
          }
        }
      }
    }
  }
}
