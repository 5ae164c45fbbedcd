import Lab

/// The saved guests of an experiment, each made when it is first asked for.
final class SnapshotShelf {
  private let bench: Bench
  private var snapshots: [GuestSnapshot.Variant: GuestSnapshot] = [:]

  init(_ bench: Bench) { self.bench = bench }

  func snapshot(_ variant: GuestSnapshot.Variant) throws(LabError) -> GuestSnapshot {
    if let snapshot = snapshots[variant] { return snapshot }
    let snapshot = try GuestSnapshot(variant, on: bench)
    snapshots[variant] = snapshot
    return snapshot
  }

  /// They are large.
  func clear() {
    for snapshot in snapshots.values { snapshot.remove() }
    snapshots = [:]
  }
}
