/// How the values of some runs lie, at least one.
struct Distribution {
  private let sorted: [Double]

  /// nil where there are no values.
  init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    sorted = values.sorted()
  }

  var count: Int { sorted.count }
  var least: Double { sorted[0] }
  var most: Double { sorted[sorted.count - 1] }

  var median: Double {
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The least value that nine tenths of all do not exceed (the nearest rank).
  var ninetieth: Double { sorted[(sorted.count * 9 + 9) / 10 - 1] }

  /// How many are not above `limit`.
  func count(within limit: Double) -> Int { sorted.count { $0 <= limit } }

  /// How many are at least `lower` and below `upper`.
  func count(from lower: Double, to upper: Double) -> Int {
    sorted.count { $0 >= lower && $0 < upper }
  }
}
