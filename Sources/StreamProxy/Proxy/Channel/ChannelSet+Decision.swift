import Threads

// What a connection is, found out on its thread.

extension ChannelSet {
  /// Waits until it is clear what the connection is and that it may be dialled; nil where the source
  /// ends it before.
  func awaitDecision(_ id: Int, _ source: Socket) -> ChannelRoster.Decision? {
    guard let nudge = state.read({ $0.connections[id]?.nudge }) else { return nil }
    // However long it stays silent: it may be libvirt's, which has not begun to migrate, or a
    // preempt channel whose turn comes.
    while true {
      switch claim(id) {
      case nil: break
      case .reserve:
        guard reservePreemptLeg(for: source) else { return nil }
        continue
      case let decision?: return decision
      }
      switch waitReadable(source.descriptor, or: nudge) {
      case .woken, .timedOut: nudge.lower()
      case .ready:
        guard var kind = source.peekKind() else { return nil }
        // A preempt channel says nothing before a guest asks for pages at the destination.
        if kind == .pageRecord, pointOfNoReturn.isAhead { kind = .other }
        update { $0.roster.spoke(id, as: kind) }
        while true {
          let decision = state.wait(until: .now + ChannelSet.interval) { ChannelSet.claim(id, &$0) }
          if let decision { return isLeftover(id, source) ? nil : decision }
          if isAbandoned(kind, source) { return nil }
        }
      }
    }
  }

  /// A connection of a migration that was cancelled while it was being set up: the next one's destination
  /// would take it for one of its own. One that was made after the main connection and has closed may
  /// have said all that it had to.
  private func isLeftover(_ id: Int, _ source: Socket) -> Bool {
    source.peerHasClosed && state.read { $0.roster.precedesMain(id) }
  }

  /// How often a connection that waits for the main one is looked at.
  private static let interval = Duration.seconds(1)

  /// A connection of a migration that was given up before its main channel spoke, or of a recovery that
  /// was: nothing comes that it belongs to, and it takes a thread and a descriptor.
  private func isAbandoned(_ kind: ChannelKind, _ source: Socket) -> Bool {
    source.peerHasClosed && (kind == .recovery || state.read { !$0.roster.mainTaken })
  }

  private func claim(_ id: Int) -> ChannelRoster.Decision? {
    update { ChannelSet.claim(id, &$0) }
  }

  /// Takes a decision and, in the same breath, makes it known, so that no other connection is given
  /// the same part.
  private static func claim(_ id: Int, _ state: inout State) -> ChannelRoster.Decision? {
    let decision = state.roster.decision(for: id)
    switch decision {
    case .dial(let role): state.roster.dialling(id, as: role)
    case .reserve: state.roster.reserving()
    case .refuse, nil: break
    }
    return decision
  }
}
