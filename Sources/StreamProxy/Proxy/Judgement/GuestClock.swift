/// What the guest's clock is expected to show.
///
/// The guest's CLOCK_MONOTONIC and the time the guest has been running (host's clock, less the time
/// between STOP and RESUME) differ by a constant, but for what either clock is slewed meanwhile. A copy or
/// a message can only be seen late, so the largest difference seen so far is the best estimate of it. The
/// guest's word is taken for what it is: a clock that lies can only fail the guest's own migration.
struct GuestClock: Sendable {
  private var largestDifference: Int64?

  /// The guest said `time` (nanoseconds of its clock) and it was heard when it had run `running`.
  mutating func heard(time: UInt64, running: UInt64) {
    // Both are at least 0 and at most Int64.max, so the difference fits.
    let difference = Int64(clamping: time) - Int64(clamping: running)
    largestDifference = max(largestDifference ?? difference, difference)
  }

  mutating func learn(from other: GuestClock) {
    guard let theirs = other.largestDifference else { return }
    largestDifference = max(largestDifference ?? theirs, theirs)
  }

  /// How far behind `time` is of what is expected when the guest has run `running`; nil before
  /// anything was heard.
  func lag(of time: UInt64, running: UInt64) -> Duration? {
    guard let largestDifference else { return nil }
    let (sum, overflows) = Int64(clamping: running).addingReportingOverflow(largestDifference)
    let expected = overflows ? Int64.max : sum
    let (behind, isHuge) = expected.subtractingReportingOverflow(Int64(clamping: time))
    return .nanoseconds(isHuge ? .max : max(0, behind))
  }
}
