/// What happens in one round. It follows from the seed and the round's number alone, so that a round can
/// be done again without those before it.
struct RoundPlan: Equatable, Sendable {
  let number: Int
  let fault: Fault
  /// A round without the proxy, as a control.
  let isPlain: Bool
  /// When the fault strikes: the share of the time that a migration takes. A migration may be over
  /// before.
  let moment: Double
  /// When a late fault strikes: bytes left to be sent.
  let bytesLeft: UInt64
  /// For how many seconds the proxy is stopped. The longer time is more than the guardian's patience
  /// with a proxy that is silent.
  let stall: Double

  /// One round in so many is plain.
  static let plainEvery = 6
  static let longStall = 24.0

  init(seed: UInt64, number: Int) {
    // The numbers of one seed's rounds lie far from those of the next.
    var random = Random(seed: seed &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(number))
    self.number = number
    isPlain = random.below(RoundPlan.plainEvery) == 0
    let plain = isPlain
    let faults = Fault.allCases.filter { !plain || $0.fitsPlain }
    fault = faults[random.below(faults.count)]
    moment = random.unit() * 1.1
    switch fault {
    // Memory is not taken at once, and then the guardian has to notice.
    case .lateRevoke: bytesLeft = UInt64(random.below(90) + 20) << 20
    default: bytesLeft = UInt64(random.below(40) + 1) << 20
    }
    stall = random.below(4) == 0 ? RoundPlan.longStall : 0.5 + random.unit() * 5
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere for the same seed, which the
/// standard library's shuffles do not promise.
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Of 0 ..< limit; the bias of the remainder is below 2⁻⁵⁰ for the limits here.
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// Of 0 ..< 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
