import HookLink

/// The copies of the mark page that passed, and what the guest's clock lets one expect of the last.
struct MarkHistory {
  var clock = GuestClock()
  var last: MarkPage?

  /// A copy passed when the guest had run `running` nanoseconds.
  mutating func passed(_ page: MarkPage, running: UInt64) {
    last = page
    clock.heard(time: page.time, running: running)
  }

  /// The last thing that passed for the page's address was no copy of it.
  mutating func lost() { last = nil }

  /// How far behind the last copy's time is of what is expected when the guest stops after it has
  /// run `running`; nil without a copy.
  func lag(whenStoppedAt running: UInt64) -> Duration? {
    last.flatMap { clock.lag(of: $0.time, running: running) }
  }
}
