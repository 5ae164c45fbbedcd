import LeafManifest

/// Writes the manifest of a prepare in a thread of its own, while eviction goes on.
struct ManifestWriting: Sendable {
  private final class Outcome: Sendable { let failure = Locked<String?>(nil) }

  private let outcome: Outcome
  private let crew: Crew

  /// Begins to write.
  ///
  /// - Parameter home: the database's directory.
  init(_ found: DatabaseControl.Found, home: String) {
    let outcome = Outcome()
    self.outcome = outcome
    crew = Crew("leafcutter-save", count: 1) { _ in
      do throws(ManifestError) {
        let identity = try DatabaseIdentity.read(fromHome: home)
        try LeafManifest(database: identity, tables: found.resident).write(toHome: home)
      } catch {
        outcome.failure.withLock { $0 = error.description }
      }
    }
  }

  /// Waits for its end.
  func join() { crew.join() }

  /// Waits for its end, and throws where it failed.
  func finish() throws(StepFailure) {
    join()
    if let reason = outcome.failure.withLock({ $0 }) { throw StepFailure("manifest", reason) }
  }
}
