import Glibc

// The preempt channel's connection to the destination, which is made before it is known whose it is.

extension ChannelSet {
  /// Makes the preempt channel's connection to the destination; false where `source` has closed before it was to be
  /// had, or the migration is over.
  ///
  /// QEMU takes its channel for made as soon as the proxy has accepted it, and stops its guest then. So what the
  /// destination refuses now is asked for again.
  func reservePreemptLeg(for source: Socket) -> Bool {
    var leg: Socket?
    // Who has gone meanwhile is not waiting for anything.
    while leg == nil, !source.peerHasClosed, !state.read({ $0.roster.isClosed }) {
      leg = try? dial(for: source)
      if leg == nil { usleep(ChannelSet.pauseBetweenDials) }
    }
    update { state in
      guard state.roster.reserved(leg != nil), !state.roster.isClosed else {
        // Nobody else would end this leg.
        leg?.shutDown()
        return
      }
      state.preemptLeg = leg
    }
    if leg == nil { source.shutDown() }
    return leg != nil
  }

  /// In microseconds.
  private static let pauseBetweenDials: UInt32 = 200_000

  /// Waits for the destination to have a preempt channel, where the source's settings have one; false where it is not
  /// to be had in time, or where it is no longer waited for.
  ///
  /// A destination from 9.0 on starts its guest no sooner (`loadvm_handle_cmd_packaged`).
  func awaitPreemptLeg(for time: Duration, while isWanted: () -> Bool) -> Bool {
    let deadline = SuspendingClock.now + time
    while true {
      let next = min(deadline, .now + .milliseconds(250))
      let isThere: Bool? = state.wait(until: next) { state in
        guard let expected = state.roster.expected else { return nil }
        // What is taken for announced where nothing is known need not come.
        let isAnnounced = expected.preempt && expected != .unknown
        return !isAnnounced || state.roster.hasPreemptLeg ? true : nil
      }
      if isThere == true { return true }
      guard next < deadline, isWanted() else { return false }
    }
  }

  func takePreemptLeg() -> Socket? {
    update { state in
      defer { state.preemptLeg = nil }
      return state.preemptLeg
    }
  }
}
