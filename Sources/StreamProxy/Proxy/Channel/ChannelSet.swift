import Glibc
import Threads

/// The connections of one migration, from their acceptance to their end: one thread for each, which
/// finds out what its connection is, dials the destination when ``ChannelRoster`` says that it is
/// time, and then carries it.
final class ChannelSet: Sendable {
  struct Connection {
    let source: Socket
    var destination: Socket?
    /// Ends the wait for a first byte; nil after it.
    var nudge: WakeUp?
  }

  struct State {
    var roster = ChannelRoster()
    var connections: [Int: Connection] = [:]
    /// The preempt channel's connection to the destination, until it is known who of the silent ones it
    /// belongs to.
    var preemptLeg: Socket?
    /// One that was never used; closing it while the main channel is wound up could be taken for a break.
    var unusedLeg: Socket?
    var outcome: MigrationOutcome?
    var hasRefusedForTheirNumber = false
  }

  let state = Guarded(State())
  private let destination: DestinationLeg
  let pointOfNoReturn: PointOfNoReturn
  private let shortage: Shortage
  private let mostUndecided: Int
  /// What the source's settings announce; asked when the main channel has spoken. May block.
  private let expectation: @Sendable () -> ChannelRoster.Expectation
  /// Whether the source says that its connections are of no use any more (``OutgoingWait``). May block.
  private let isGivenUp: @Sendable (_ hasClosed: Bool) -> Bool

  init(
    destination: DestinationLeg, pointOfNoReturn: PointOfNoReturn, shortage: Shortage,
    mostUndecided: Int, expectation: @escaping @Sendable () -> ChannelRoster.Expectation,
    isGivenUp: @escaping @Sendable (_ hasClosed: Bool) -> Bool
  ) {
    self.destination = destination
    self.pointOfNoReturn = pointOfNoReturn
    self.shortage = shortage
    self.mostUndecided = mostUndecided
    self.expectation = expectation
    self.isGivenUp = isGivenUp
  }

  /// Takes a connection over. `carry` is called on its thread once it has a destination; what it
  /// returns for a main channel is the migration's outcome, nil where another main channel may follow.
  ///
  /// - Throws: ``SystemError`` where a descriptor or a thread is missing, and nothing has been done with it.
  func admit(
    _ source: Socket, refused: @escaping @Sendable (String) -> Void,
    carry: @escaping @Sendable (Channel) -> MigrationOutcome?
  ) throws(SystemError) {
    // Each costs a thread before it has said a byte.
    guard state.read({ $0.roster.undecided < mostUndecided }) else {
      source.shutDown()
      let isFirst = state.update { state in
        defer { state.hasRefusedForTheirNumber = true }
        return !state.hasRefusedForTheirNumber
      }
      if isFirst { refused("\(mostUndecided) others have not shown yet what they are") }
      return
    }
    guard let nudge = WakeUp.makeIfPossible() else { throw SystemError("take a connection") }
    let id = update { state in
      let id = state.roster.accepted()
      state.connections[id] = Connection(source: source, nudge: nudge)
      return id
    }
    let thread = BlockingThread.makeIfPossible("channel-\(id)") {
      defer { self.forget(id) }
      switch self.awaitDecision(id, source) {
      case nil:
        // Ended without a byte, as libvirt's early connection may.
        break
      case .refuse(let reason):
        source.shutDown()
        refused(reason)
      case .dial(let role):
        self.connect(id, source, as: role, carry: carry)
      case .reserve:
        // Done while it is waited for the decision.
        break
      }
    }
    guard thread == nil else { return }
    forget(id)
    throw SystemError("start a thread for a connection", code: EAGAIN)
  }

  private func forget(_ id: Int) {
    update {
      $0.roster.ended(id)
      $0.connections[id] = nil
    }
  }

  /// Waits for the end of the main channel, or of ``finish(_:)``.
  func awaitOutcome() -> MigrationOutcome { state.wait { $0.outcome } }

  /// Waits until no channel is left; false when the time was over before.
  @discardableResult
  func awaitEnd(for time: Duration) -> Bool {
    state.wait(until: .now + time) { $0.connections.isEmpty ? true : nil } ?? false
  }

  /// Says what the migration came to, if nobody has said it before, and refuses what still comes.
  func finish(_ outcome: MigrationOutcome) {
    update { state in
      if state.outcome == nil { state.outcome = outcome }
      state.roster.close()
    }
  }

  /// Has the next connections dialled at `address`: before the first, or where the main channel has
  /// ended and a recovery's is to follow. Waits a little, because who retargets may know of the
  /// break before this does.
  ///
  /// - Returns: why it cannot be done, or nil.
  func retarget(_ address: SocketAddress, within time: Duration = .seconds(2)) -> String? {
    let refusal: String?? = state.wait(until: .now + time) { state in
      if state.roster.isClosed { return "the migration is over" }
      guard !state.roster.carriesMain else { return nil }
      destination.address = address
      return .some(nil)
    }
    return refusal ?? """
      the migration is being carried to \(destination.address), where all of its connections \
      belong; it can be retargeted before it begins and while post-copy is paused
      """
  }

  /// Where the next connections are dialled.
  var target: SocketAddress { destination.address }

  /// The source has ended this channel; its thread still waits for the destination.
  func ending(_ channel: Channel) {
    update { state in
      state.roster.ending(channel.id)
      // A recovery has connections of its own.
      if channel.role.isMain, let leg = state.preemptLeg {
        state.unusedLeg = leg
        state.preemptLeg = nil
      }
    }
  }

  /// Ends every leg of every channel.
  func shutDownAll() {
    let connections = state.read { $0.connections.values.map { ($0.source, $0.destination) } }
    for (source, destination) in connections {
      source.shutDown()
      destination?.shutDown()
    }
    for leg in state.read({ [$0.preemptLeg, $0.unusedLeg] }) { leg?.shutDown() }
  }

  /// Ends the destination's leg of every channel.
  func cutDestinationsOff() {
    for leg in state.read({ $0.connections.values.map(\.destination) + [$0.preemptLeg] }) {
      leg?.shutDown()
    }
  }

  // MARK: On the connection's thread

  private func connect(
    _ id: Int, _ source: Socket, as role: ChannelRole, carry: (Channel) -> MigrationOutcome?
  ) {
    let leg: Socket
    do throws(SystemError) {
      if role == .preempt, let vacant = takePreemptLeg() {
        leg = vacant
      } else {
        leg = try dial(for: source)
      }
    } catch {
      source.shutDown()
      // A recovery can be tried again; the guest waits at the destination meanwhile.
      if role.isMain, role != .opaqueMain(.recovery), !pointOfNoReturn.isPassed {
        finish(.destinationEnded(error.description))
      }
      return
    }
    update { state in
      state.connections[id]?.nudge = nil
      state.connections[id]?.destination = leg
      state.roster.established(id)
      // Closed in the meantime: nobody else would end this leg.
      if state.roster.isClosed {
        source.shutDown()
        leg.shutDown()
      }
    }
    if role.isMain {
      // Beside the relay: QEMU's main loop, which answers QMP, stands still in a TLS handshake until
      // the destination has answered (`io/channel-tls.c` on a blocking socket).
      let asking = BlockingThread.makeIfPossible("settings") {
        let expected = self.expectation()
        self.update { $0.roster.expects(expected) }
      }
      if asking == nil { update { $0.roster.expects(.unknown) } }
    }
    let outcome = carry(
      Channel(
        id: id, role: role, source: source, destination: leg,
        outgoing: OutgoingWait(source: source, isGivenUp: isGivenUp), shortage: shortage))
    if role.isMain, let outcome { finish(outcome) }
  }

  func dial(for source: Socket) throws(SystemError) -> Socket {
    while true {
      do throws(SystemError) {
        return try destination.dial()
      } catch {
        guard shortage.ridesOut(error, for: source) else { throw error }
      }
    }
  }

  /// Changes the state and lets every silent connection ask again.
  @discardableResult
  func update<Result>(_ body: (inout State) -> Result) -> Result {
    state.update { state in
      let silentBefore = state.roster.silent
      defer {
        for id in silentBefore where state.roster.decision(for: id) != nil {
          state.connections[id]?.nudge?.raise()
        }
      }
      return body(&state)
    }
  }
}
