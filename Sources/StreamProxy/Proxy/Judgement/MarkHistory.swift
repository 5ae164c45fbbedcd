import HookLink

/// What the copies of the mark page that passed let one expect of the last of them.
///
/// The guest's CLOCK_MONOTONIC and the time the guest has been running (host's clock, less the time
/// between STOP and RESUME) differ by a constant. A copy or message can only be seen late, so the
/// largest difference seen so far is the best estimate of it.
struct MarkHistory {
  private var largestDifference: Int64?
  var last: MarkPage?

  /// The guest said `time` (nanoseconds of its clock) and it was heard when it had run `running`.
  mutating func heard(time: UInt64, running: UInt64) {
    let difference = Int64(clamping: time) - Int64(clamping: running)
    largestDifference = max(largestDifference ?? difference, difference)
  }

  /// A copy passed.
  mutating func passed(_ page: MarkPage, running: UInt64) {
    last = page
    heard(time: page.time, running: running)
  }

  /// The last thing that passed for the page's address was no copy of it.
  mutating func lost() { last = nil }

  /// How far behind the last copy's time is of what is expected when the guest stops after it has
  /// run `running`; nil without a copy.
  func lag(whenStoppedAt running: UInt64) -> Duration? {
    last.flatMap { lag(of: $0.time, whenStoppedAt: running) }
  }

  /// How far behind `time`, on the guest's clock, is of what is expected.
  func lag(of time: UInt64, whenStoppedAt running: UInt64) -> Duration? {
    guard let largestDifference else { return nil }
    let expected = Int64(clamping: running) + largestDifference
    return .nanoseconds(max(0, expected - Int64(clamping: time)))
  }
}
