// The preempt channel's connection to the destination, which is made before it is known whose it is.

extension ChannelSet {
  /// Makes the preempt channel's connection to the destination; false where it cannot be had, and `source`
  /// is of no use any more.
  func reservePreemptLeg(for source: Socket) -> Bool {
    // Who has gone meanwhile is not waiting for anything.
    let leg = source.peerHasClosed ? nil : try? dial(for: source)
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

  func takePreemptLeg() -> Socket? {
    update { state in
      defer { state.preemptLeg = nil }
      return state.preemptLeg
    }
  }
}
