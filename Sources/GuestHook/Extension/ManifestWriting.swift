import LeafManifest

/// Writes the manifest of a prepare in a thread of its own, while eviction goes on.
struct ManifestWriting: Sendable {
  private final class Outcome: Sendable { let failure = Locked<String?>(nil) }

  private let outcome: Outcome
  private let crew: Crew

  /// Begins to write.
  ///
  /// - Parameter home: the database's directory.
  init(_ tables: [LeafManifest.Table], home: String) {
    let outcome = Outcome()
    self.outcome = outcome
    crew = Crew("leafcutter-save", count: 1) { _ in
      do throws(ManifestError) {
        let identity = try DatabaseIdentity.read(fromHome: home)
        try LeafManifest(database: identity, tables: tables).write(toHome: home)
      } catch {
        outcome.failure.withLock { $0 = error.description }
      }
    }
  }

  /// Waits for its end.
  ///
  /// - Returns: why there is none, or nil.
  func failure() -> String? {
    crew.join()
    return outcome.failure.withLock { $0 }
  }
}
