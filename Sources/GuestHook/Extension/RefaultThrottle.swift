import Glibc

/// Gives the threads that read leaves back their turns, at a rate that changes.
final class RefaultThrottle: Sendable {
  /// What a thread that slept too long may catch up on, in nanoseconds.
  private static let credit: UInt64 = 2_000_000
  /// The longest sleep, in milliseconds: the rate may have risen.
  private static let nap: UInt64 = 5

  private struct State {
    /// Leaves per second.
    var rate: Double
    /// When the next turn is due.
    var next: UInt64 = 0
  }
  private let state: Locked<State>

  /// - Parameter rate: leaves per second over all threads; infinite for no limit.
  init(rate: Double) { state = Locked(State(rate: rate)) }

  func setRate(_ rate: Double) { state.withLock { $0.rate = rate } }

  /// Gives nobody a turn for so many nanoseconds from now.
  func pause(for nanoseconds: UInt64) {
    let end = monotonicNanoseconds() + nanoseconds
    state.withLock { $0.next = max($0.next, end) }
  }

  /// Waits until so many leaves may be read; false where it was interrupted.
  func waitForTurn(_ leaves: Int, unless interrupt: Signal) -> Bool {
    while true {
      let now = monotonicNanoseconds()
      let wait = state.withLock { state -> UInt64 in
        if state.next > now { return state.next - now }
        // Some seconds for one batch where a rate of a few leaves a second was asked for.
        let took = UInt64(Double(leaves) / state.rate * 1e9)
        state.next = max(state.next, now - RefaultThrottle.credit) + took
        return 0
      }
      if wait == 0 { return !interrupt.isRaised }
      let milliseconds = min((wait + 999_999) / 1_000_000, RefaultThrottle.nap)
      if interrupt.wait(milliseconds: Int32(milliseconds)) { return false }
    }
  }
}
