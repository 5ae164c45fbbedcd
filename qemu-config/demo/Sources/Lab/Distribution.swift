/// How the values of some runs lie, at least one.
public struct Distribution: Sendable {
  private let sorted: [Double]

  /// All of them, from the lowest to the highest.
  public var values: [Double] { sorted }

  /// nil where there are no values.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    sorted = values.sorted()
  }

  /// Of values.
  public var count: Int { sorted.count }
  /// The lowest value.
  public var least: Double { sorted[0] }
  /// The highest value.
  public var most: Double { sorted[sorted.count - 1] }

  /// Half-way between the two in the middle where their number is even.
  public var median: Double {
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The least value that nine tenths of all do not exceed (the nearest rank).
  public var ninetieth: Double { sorted[(sorted.count * 9 + 9) / 10 - 1] }

  /// How many are not above `limit`.
  public func count(within limit: Double) -> Int { sorted.count { $0 <= limit } }

  /// How many are at least `lower` and below `upper`.
  public func count(from lower: Double, to upper: Double) -> Int {
    sorted.count { $0 >= lower && $0 < upper }
  }
}
