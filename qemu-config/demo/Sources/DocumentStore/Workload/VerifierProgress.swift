import Synchronization

/// Says on standard error how far a verification is, each tenth of the way.
final class VerifierProgress: Sendable {
  private let checked = Atomic(0)
  private let documents: Int

  init(documents: Int64) { self.documents = Int(documents) }

  func add(_ count: Int) {
    let (before, after) = checked.add(count, ordering: .relaxed)
    let tenth = after * 10 / documents
    if tenth > before * 10 / documents {
      logLine("verified \(after) of \(documents) documents")
    }
  }
}
