import Glibc
import HookLink
import PageFilter

// The judgement at the point of no return.

extension MigrationJudge {
  mutating func noteMarkCopies(_ editor: borrowing StreamEditor) {
    guard editor.markPassages != passagesSeen else { return }
    passagesSeen = editor.markPassages
    marks.passed(
      editor.lastMarkCopy, on: MigrationJudge.mainChannel, after: editor.lastMarkSyncs,
      running: qmp.events.runningNanoseconds, earlier: editor.counters.markCopies > 0)
  }

  /// The main channel among those of the mark ledger; the others go by their arrival.
  private static let mainChannel = -1

  /// Waits for the multifd channels to have carried everything that was sent before `stop`.
  ///
  /// Where every section is synchronised (machine types up to 8.0), the EOS that closes it is the mark of it.
  /// END's own is still at hand when END has been read; at post-copy's switchover every section has
  /// had its own.
  func awaitMultifd(
    _ editor: borrowing StreamEditor, at stop: StreamEditor.StopPoint
  ) throws(ChannelFailure) {
    guard multifdChannels > 0 else { return }
    let counters = editor.counters
    let sections = counters.ramBodies + (stop == .endOfRAM ? 1 : 0)
    let syncs = counters.multifdFlushes > 0 ? counters.multifdFlushes : sections
    // A destination that stalls must not hold up a source that has given up.
    let arrived = shared.awaitSyncs(syncs, of: multifdChannels) {
      source.peerHasClosed || saysGivenUp
    }
    let reason = "a multifd channel ended before the end of RAM"
    // Where nothing has been dropped nothing will be, and no proof is needed.
    guard !arrived, !shared.refuseDropping(reason) || editor.hasDropped else { return }
    guard !source.peerHasClosed, !saysGivenUp else {
      throw .source(
        SystemError("wait for the multifd channels: the source has given up", code: ECONNRESET))
    }
    throw .channelEnded(reason)
  }

  /// What was reported and never dropped, because no probe has shown where it is. Not an offence: a
  /// probe page that was revoked may have changed before its turn came.
  private mutating func noteUnprovenPages() {
    guard let reported else { return }
    reported.close()
    progress.update { $0.deadSegments = reported.proven }
    guard !reported.unproven(withProbe: true).isEmpty else { return }
    noteUnproven(
      reported, withProbe: true,
      because: "no probe page has passed where QEMU's memory map says it is")
    guard !reported.isAnythingProven, progress.now.uneditedReason == nil else { return }
    leaveUnedited("no probe page of the guest has passed where QEMU's memory map says it is")
  }

  /// With nothing dropped no proof is needed.
  mutating func judge(_ editor: borrowing StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
    noteUnprovenPages()
    guard hasDropped(editor) else { return }
    do throws(ProofFailure) {
      try prove()
      logger.info("proven at the point of no return: the guest held every dropped page to its stop")
    } catch {
      throw .closeBoth("not proven at the point of no return: \(error)")
    }
  }

  /// From here on the guest runs at the destination and nothing can be closed, so what is dropped
  /// later has to be proven now as well. Where it is not, nothing more is dropped; where something
  /// has been, the migration fails.
  mutating func judgePostcopy(
    _ editor: borrowing StreamEditor
  ) throws(ChannelFailure) {
    noteMarkCopies(editor)
    noteUnprovenPages()
    guard let reported, reported.isAnythingProven else { return }
    do throws(ProofFailure) {
      let stopped = try proveStopped()
      do throws(ProofFailure) {
        try marks.judgeSoFar(of: migration)
      } catch .markNeverPassed {
        // Its turn in the first round has not come; probes have shown that the map is right.
      }
      try proveLease(stopped)
      logger.info("proven before post-copy: the guest holds every dropped page, and its lease runs")
    } catch {
      guard shared.refuseDropping("\(error)"), !editor.hasDropped else {
        // Whether it can be is seen where the channel is wound up.
        _ = pointOfNoReturn.refuse()
        throw .closeBoth("not proven before post-copy: \(error)")
      }
      reported.revokeAll()
      leaveUnedited("not proven before post-copy: \(error)")
    }
  }

  /// With a preempt channel that the destination does not have, the guest would start nowhere, or wait there for every
  /// page that it asks for.
  func judgePreemptChannel() throws(ChannelFailure) {
    let isThere = awaitPreemptLeg { !source.peerHasClosed && !saysGivenUp }
    guard !isThere else { return }
    guard !saysGivenUp, !source.peerHasClosed else { throw MigrationJudge.givenUp }
    // A source that does not take its guest back can recover, where the destination has started it.
    guard pointOfNoReturn.refuse() else { return }
    throw .closeBoth(
      "the destination has taken no connection for post-copy's preempt channel")
  }

  /// The guest releases its frames without an acknowledgement 15 s after the last one, on its own
  /// clock, which stands still while it is stopped.
  private func proveLease(
    _ stopped: MigrationWitness.Observation
  ) throws(ProofFailure) {
    guard options.rules.wantsLease else { return }
    // Another kernel may have been started since the last heartbeat; the mark page that says so travels later.
    guard !hookPort.mayBeClosed else { throw .hookPortClosed }
    guard let beat = hook?.lastHeartbeat else { throw .noHeartbeat }
    guard !hookPort.mayHaveClosed(since: beat.at) else { throw .hookPortClosed }
    let stoppedFor = stopped.stoppedAt.map { $0.duration(to: .now) } ?? .zero
    // On both clocks: one that was sent long ago may have been read just now, and the clock of a guest that
    // is paused may go on.
    let age = max(
      beat.at.duration(to: .now) - stoppedFor,
      marks.lag(of: beat.time, whenStoppedAt: stopped.runningNanoseconds) ?? .zero)
    guard age < MigrationJudge.lease else {
      throw .heartbeatStale(age: age, bound: MigrationJudge.lease)
    }
  }

  /// A third of the time after which the guest may let go.
  private static let lease = Duration.seconds(5)

  private func prove() throws(ProofFailure) {
    let stopped = try proveStopped()
    try marks.judge(
      of: migration, running: stopped.runningNanoseconds, bound: options.markBound)
  }

  /// The guest stands still, was not reset, and has kept its word.
  private func proveStopped() throws(ProofFailure) -> MigrationWitness.Observation {
    let stopped: MigrationWitness.Observation
    let heard =
      options.rules.hearsEventsUpToStop
      ? qmp.events.waitForStop(until: .now + options.stopTimeout)
      : .stopped(qmp.events.observation)
    switch heard {
    case .stopped(let observation): stopped = observation
    case .connectionLost(let reason): throw .witnessLost(reason.description)
    case .deadline: throw .guestNotStopped(waited: options.stopTimeout)
    }
    guard stopped.resets == 0 else { throw .guestReset }
    // The guest stands still, so this comes to an end.
    hook?.drain()
    if let offence = hook?.offence { throw .offence(offence) }
    if let clock = hook?.snapshot().session?.clock { marks.learn(from: clock) }
    return stopped
  }
}
