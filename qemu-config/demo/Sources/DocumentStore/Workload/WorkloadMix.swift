/// YCSB's core workloads: A half updates, B one in twenty, C none.
public enum WorkloadMix: String, Sendable, CaseIterable {
  case a = "A"
  case b = "B"
  case c = "C"

  var shareOfUpdates: Double {
    switch self {
    case .a: 0.5
    case .b: 0.05
    case .c: 0
    }
  }
}

/// What `run` asks for.
public struct WorkloadOrder: Equatable, Sendable {
  public var mix: WorkloadMix
  /// Operations a second of all threads together.
  public var rate: Double
  public var threads: Int
  public var seed: UInt64
  public var keys: KeyDistribution

  public init(
    mix: WorkloadMix, rate: Double, threads: Int, seed: UInt64, keys: KeyDistribution = .zipfian
  ) {
    self.mix = mix
    self.rate = rate
    self.threads = threads
    self.seed = seed
    self.keys = keys
  }
}
