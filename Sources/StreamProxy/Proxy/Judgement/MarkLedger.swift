import HookLink
import PageFilter
import Synchronization

/// The copies of the mark page that passed, over all channels, and which of them is the last.
///
/// Copies are ordered by the number of synchronisations of all multifd channels after which they
/// came (see ``MultifdEditor``), and on one channel by the stream. Copies on two channels between the
/// same two synchronisations have no order; QEMU 7.2 can make them, equal ones at the end. Each of
/// them has to stand the judgement.
final class MarkLedger: Sendable {
  private struct State {
    var history = MarkHistory()
    var syncs = 0
    /// By channel, what passed last since that synchronisation; nil where it was no copy.
    var last: [Int: MarkPage?] = [:]
    var copies = 0
  }

  private let state = Mutex(State())
  private let rules: SafetyRules

  init(rules: SafetyRules = SafetyRules()) { self.rules = rules }

  /// Takes in what the guest's messages have said of its clock.
  func learn(from clock: GuestClock) {
    state.withLock { $0.history.clock.learn(from: clock) }
  }

  /// Something passed for the mark page's address: a copy as the guest wrote it, or nil.
  ///
  /// - Parameter earlier: whether copies have passed on this channel before it.
  func passed(
    _ copy: [UInt8]?, on channel: Int, after syncs: Int, running: UInt64, earlier: Bool
  ) {
    let page = copy.flatMap { MarkPage(parsing: $0) }
    state.withLock { state in
      if let page { state.history.clock.heard(time: page.time, running: running) }
      // Several may have passed since the last call, and the last of them may be no copy.
      if copy != nil || earlier { state.copies += 1 }
      guard syncs >= state.syncs, rules.lastCopyDecides || state.last.isEmpty else { return }
      if syncs > state.syncs { state.last.removeAll() }
      state.syncs = syncs
      state.last[channel] = .some(page)
    }
  }

  /// How far behind what is expected a time on the guest's clock is; nil where nothing is expected.
  func lag(of time: UInt64, whenStoppedAt running: UInt64) -> Duration? {
    state.withLock { $0.history.clock.lag(of: time, running: running) }
  }

  /// Part three of the proof in pre-copy.
  ///
  /// - Parameter running: how long the guest had run when it stopped, in nanoseconds.
  func judge(of migration: MigrationID, running: UInt64, bound: Duration) throws(ProofFailure) {
    try forEachLastCopy { (history, copies) throws(ProofFailure) in
      try history.judgeLastCopy(
        of: migration, running: running, bound: bound, copiesSeen: copies)
    }
  }

  /// The same in post-copy, where the lease says the rest.
  func judgeSoFar(of migration: MigrationID) throws(ProofFailure) {
    try forEachLastCopy { (history, copies) throws(ProofFailure) in
      try history.judgeCopySoFar(of: migration, copiesSeen: copies)
    }
  }

  private func forEachLastCopy(
    _ body: (MarkHistory, _ copies: Int) throws(ProofFailure) -> Void
  ) throws(ProofFailure) {
    let state = state.withLock { $0 }
    guard state.copies > 0, !state.last.isEmpty else { throw .markNeverPassed }
    for page in state.last.values {
      var history = state.history
      history.last = page
      try body(history, state.copies)
    }
  }
}
