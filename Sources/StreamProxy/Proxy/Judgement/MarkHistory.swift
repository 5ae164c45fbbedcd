import HookLink

/// The copies of the mark page that passed, and what the guest's clock lets one expect of the last.
struct MarkHistory {
  var clock = GuestClock()
  var last: MarkPage?

  /// How far behind the last copy's time is of what is expected when the guest stops after it has
  /// run `running`; nil without a copy.
  func lag(whenStoppedAt running: UInt64) -> Duration? {
    last.flatMap { clock.lag(of: $0.time, running: running) }
  }
}
