import Glibc

/// How fast leaves are read back: as fast as the program's own reads leave room for.
///
/// What clients feel of a refault is the queue in front of the disk. So the hold library times what the
/// program's other threads read meanwhile, and the rate goes down by half where that takes much longer than
/// it should, and up by a tenth where it does not: faster, and it is too fast as often as not. What it
/// should take is measured before the first leaf is read, and again where even the lowest rate changes
/// nothing: then it is not the refault that is in the way.
///
/// Pressure (PSI) would not do: it counts the refault's own waiting like anybody's. Nor would the refault's
/// own latency: in file order the kernel reads ahead for it, and clients' reads lie anywhere. Processor time
/// is left to the kernel, which shares it out.
struct RefaultPace {
  /// Leaves per second; the lowest is never left, so that a refault always comes to its end.
  static let lowest = 500.0
  private static let highest = 10_000_000.0
  /// For how long the program's reads are watched before the first leaf is read, in nanoseconds.
  static let quiet: UInt64 = 50_000_000
  /// Reads, or as much time, after which the rate is thought over.
  private static let enoughReads: UInt64 = 8
  private static let enoughTime: UInt64 = 50_000_000
  /// A read that takes so much longer than it should is not slow yet, in nanoseconds.
  private static let tolerance = 100_000.0
  private static let patience = 5

  private(set) var rate = RefaultPace.lowest * 4
  /// What a read of the program's should take, in nanoseconds; nil as long as it has read nothing.
  private(set) var expected: Double?
  /// The lowest and the highest rate so far.
  private(set) var rates = RefaultPace.lowest * 4...RefaultPace.lowest * 4
  private let first: Reads
  private var last: Reads
  private var lastAt: UInt64
  private var inVain = 0

  /// What the program's own threads have read since its start.
  struct Reads: Equatable {
    var begun: UInt64 = 0
    var ended: UInt64 = 0
    var nanoseconds: UInt64 = 0
  }

  /// - Parameters:
  ///   - before: at the beginning of the quiet time.
  ///   - after: at its end, which is `now`.
  init(before: Reads, after: Reads, now: UInt64) {
    if after.ended > before.ended {
      expected =
        Double(after.nanoseconds - before.nanoseconds) / Double(after.ended - before.ended)
    }
    first = before
    last = after
    lastAt = now
  }

  /// Thinks the rate over, where there is enough to go by.
  mutating func observe(_ reads: Reads, now: UInt64) {
    let ended = reads.ended - last.ended
    let elapsed = now > lastAt ? now - lastAt : 0
    guard ended >= RefaultPace.enoughReads || elapsed >= RefaultPace.enoughTime || isIdle(reads)
    else { return }
    defer {
      last = reads
      lastAt = now
      rates = min(rates.lowerBound, rate)...max(rates.upperBound, rate)
    }
    // One that has not come back in all that time counts as long as it has been seen to take.
    let waiting = ended == 0 && reads.begun > reads.ended
    guard ended > 0 || waiting else {
      rate = min(rate * 2, RefaultPace.highest)
      return
    }
    let taken =
      waiting
      ? Double(elapsed) : Double(reads.nanoseconds - last.nanoseconds) / Double(ended)
    let should = expected ?? taken
    if taken <= max(should * 2, should + RefaultPace.tolerance) {
      rate = min(rate * 1.1, RefaultPace.highest)
      expected = should
      inVain = 0
    } else if rate > RefaultPace.lowest {
      rate = max(rate / 2, RefaultPace.lowest)
      inVain = 0
    } else {
      inVain += 1
      if inVain >= RefaultPace.patience { expected = taken }
    }
  }

  /// What became of it, for people; nil where the program has read nothing.
  var account: String? {
    let ended = last.ended - first.ended
    guard ended > 0, let expected else { return nil }
    let taken = (last.nanoseconds - first.nanoseconds) / ended
    return """
      \(ended) reads of the program's own took \(taken / 1000) µs on average, \(Int(expected) / 1000) \
      undisturbed; leaves were read back at \(Int(rates.lowerBound)) to \(Int(rates.upperBound)) a second
      """
  }

  /// Nobody else reads.
  private func isIdle(_ reads: Reads) -> Bool { reads == last && reads.begun == reads.ended }
}
