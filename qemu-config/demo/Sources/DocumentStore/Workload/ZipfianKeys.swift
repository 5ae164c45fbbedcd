import Glibc

/// Record ids with YCSB's scrambled zipfian popularity: rank r is drawn in proportion to 1/r^0.99
/// (Gray et al., "Quickly generating billion-record synthetic databases", SIGMOD 1994), and the ranks
/// are scattered over the records by a hash, so that popular documents do not lie side by side.
public struct ZipfianKeys: Sendable {
  private static let theta = 0.99
  private let documents: Int64
  private let zeta: Double
  private let eta: Double
  private let secondRank: Double

  /// - Precondition: `documents` is at least 1.
  public init(documents: Int64) {
    self.documents = documents
    zeta = ZipfianKeys.zeta(documents)
    secondRank = 1 + pow(0.5, ZipfianKeys.theta)
    eta =
      (1 - pow(2 / Double(documents), 1 - ZipfianKeys.theta))
      / (1 - ZipfianKeys.zeta(min(2, documents)) / zeta)
  }

  /// A record id in 1 … documents.
  public func next(_ random: inout SplitMix64) -> Int64 {
    let hash = SplitMix64.mix(UInt64(rank(random.nextUnit())) &+ 0x7a69_7066)
    return Int64(hash % UInt64(documents)) + 1
  }

  /// The rank, from 0, that a uniform number in 0 ..< 1 stands for.
  func rank(_ uniform: Double) -> Int64 {
    let scaled = uniform * zeta
    if scaled < 1 { return 0 }
    if scaled < secondRank { return min(1, documents - 1) }
    let rank = Double(documents) * pow(eta * uniform - eta + 1, 1 / (1 - ZipfianKeys.theta))
    return min(Int64(rank), documents - 1)
  }

  /// Σ 1/i^θ for i = 1 … count. The head is summed; the tail is its integral with two
  /// Euler–Maclaurin corrections, because a million powers take seconds in an emulated guest.
  static func zeta(_ count: Int64) -> Double {
    let head = min(count, 1000)
    var sum = (1...head).reduce(0.0) { $0 + pow(Double($1), -theta) }
    if count > head {
      let (from, to) = (Double(head), Double(count))
      sum += (pow(to, 1 - theta) - pow(from, 1 - theta)) / (1 - theta)
      sum += (pow(to, -theta) - pow(from, -theta)) / 2
      sum += theta * (pow(from, -theta - 1) - pow(to, -theta - 1)) / 12
    }
    return sum
  }
}
