/// Which documents a workload asks for.
public enum KeyDistribution: String, Sendable, CaseIterable {
  /// A few much more often than the others; see ``ZipfianKeys``.
  case zipfian
  /// All alike.
  case uniform
}

/// Draws record ids.
enum RecordKeys: Sendable {
  case zipfian(ZipfianKeys)
  case uniform(documents: Int64)

  init(_ distribution: KeyDistribution, documents: Int64) {
    switch distribution {
    case .zipfian: self = .zipfian(ZipfianKeys(documents: documents))
    case .uniform: self = .uniform(documents: documents)
    }
  }

  /// A record id in 1 … documents.
  func next(_ random: inout SplitMix64) -> Int64 {
    switch self {
    case .zipfian(let keys): keys.next(&random)
    case .uniform(let documents): Int64.random(in: 1...documents, using: &random)
    }
  }
}
