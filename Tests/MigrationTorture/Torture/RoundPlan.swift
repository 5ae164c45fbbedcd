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
  /// With this many bytes left, or some time after the fault, post-copy is switched to; nil in pre-copy.
  let postcopyBytesLeft: UInt64?
  /// What a lying hook says.
  let lie: HookLie
  /// For how many seconds the proxy is stopped. The longer time is more than the guardian's patience
  /// with a proxy that is silent.
  let stall: Double

  /// Of the rounds whose fault can do without the proxy, one in so many is plain.
  static let plainEvery = 4
  /// Of the others, one in so many is switched to post-copy where the guest can survive that; more where the
  /// proxy stands still, which is what post-copy's lease is for.
  static let postcopyEvery = 4
  static let stalledPostcopyEvery = 2
  static let longStall = 24.0

  /// - Parameters:
  ///   - number: from 1.
  ///   - only: the fault of every round, in place of the seed's.
  ///   - plain: every round goes without the proxy.
  init(seed: UInt64, number: Int, only: Fault? = nil, plain: Bool = false) {
    self.number = number
    // As many rounds as there are faults have each of them once, so that a short run has them all.
    let count = Fault.allCases.count
    let (turn, place) = (number - 1).quotientAndRemainder(dividingBy: count)
    var order = Random(seed: seed, stream: UInt64(turn) << 1)
    let deal = order.shuffled(Fault.allCases)
    fault = only ?? deal[place]
    var random = Random(seed: seed, stream: UInt64(number) << 1 | 1)
    isPlain = plain || fault.fitsPlain && random.below(RoundPlan.plainEvery) == 0
    moment = random.unit() * 1.1
    switch fault {
    // Memory is not taken at once, and then the guardian has to notice.
    case .lateRevoke: bytesLeft = UInt64(random.below(90) + 20) << 20
    default: bytesLeft = UInt64(random.below(40) + 1) << 20
    }
    stall = random.below(4) == 0 ? RoundPlan.longStall : 0.5 + random.unit() * 5
    let every =
      fault == .stallLink ? RoundPlan.stalledPostcopyEvery : RoundPlan.postcopyEvery
    let isPostcopy = !isPlain && fault.fitsPostcopy && random.below(every) == 0
    postcopyBytesLeft = isPostcopy ? UInt64(random.below(200) + 20) << 20 : nil
    lie = HookLie.allCases[random.below(HookLie.allCases.count)]
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere for the same seed, which the
/// standard library's shuffles do not promise.
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// Streams of one seed, and of seeds that lie beside each other, have nothing in common.
  init(seed: UInt64, stream: UInt64) {
    var outer = Random(seed: seed)
    var inner = Random(seed: outer.next() &+ stream)
    state = inner.next()
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// Of 0 ..< limit; the bias of the remainder is below 2⁻⁵⁰ for the limits here.
  mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// In an order in which each is as likely as any other (Fisher and Yates).
  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for last in stride(from: result.count - 1, to: 0, by: -1) {
      result.swapAt(last, below(last + 1))
    }
    return result
  }

  /// Of 0 ..< 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
