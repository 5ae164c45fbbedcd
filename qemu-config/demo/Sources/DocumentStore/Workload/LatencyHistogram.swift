/// Counts latencies in buckets of at most 6.25 % width: sixteen for each power of two microseconds.
/// HdrHistogram would be exact to a set number of digits; one slot of 100 ms holds a few hundred
/// operations, for which this is fine enough and fixed in size.
public struct LatencyHistogram: Sendable {
  private static let perPower = 16
  /// Up to 2³² µs, over an hour.
  private static let buckets = perPower * 29
  private var counts = [UInt32](repeating: 0, count: buckets)
  public private(set) var total = 0

  public init() {}

  public mutating func record(microseconds: UInt64) {
    counts[LatencyHistogram.bucket(microseconds)] += 1
    total += 1
  }

  /// The highest latency of the bucket that holds the given share of all; 0 where there are none.
  public func microseconds(at share: Double) -> UInt64 {
    let wanted = Int((Double(total) * share).rounded(.up))
    guard total > 0 else { return 0 }
    var seen = 0
    for (bucket, count) in counts.enumerated() {
      seen += Int(count)
      if seen >= wanted { return LatencyHistogram.highest(bucket) }
    }
    return LatencyHistogram.highest(LatencyHistogram.buckets - 1)
  }

  public mutating func clear() {
    guard total > 0 else { return }
    for bucket in counts.indices { counts[bucket] = 0 }
    total = 0
  }

  /// Below 16 each microsecond has its own bucket; above, the four bits after the first decide.
  private static func bucket(_ value: UInt64) -> Int {
    guard value >= 16 else { return Int(value) }
    let power = 63 - value.leadingZeroBitCount
    let fraction = Int(value >> UInt64(power - 4)) & 15
    return min((power - 3) * perPower + fraction, buckets - 1)
  }

  private static func highest(_ bucket: Int) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket) }
    let power = bucket / perPower + 3
    return (UInt64(16 + bucket % perPower + 1) << UInt64(power - 4)) - 1
  }
}
