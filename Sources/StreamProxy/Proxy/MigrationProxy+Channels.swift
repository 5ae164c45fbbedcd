import HookLink
import PageFilter
import Threads

// What runs on the threads of the channels.

extension MigrationProxy {
  // MARK: On the main channel's thread

  func carryMain(_ channel: Channel) -> MigrationOutcome? {
    progress.update { $0.connectedAt = .now }
    var relay = MainChannel(channel, editor: StreamEditor(), within: downtimeLimit)
    var judge = MigrationJudge(
      options: options, qmp: qmp, hook: hook, hookPort: hookPort, source: channel.source,
      destination: channel.destination, progress: progress, pointOfNoReturn: pointOfNoReturn,
      shared: shared, marks: marks,
      awaitPreemptLeg: { [channels, options] isWanted in
        channels.awaitPreemptLeg(for: options.preemptTime, while: isWanted)
      }, logger: logger)
    defer { shared.finish() }
    return carryMain(channel) { () throws(ChannelFailure) in
      do throws(ChannelFailure) {
        try relay.relay(handler: &judge) { snapshot in
          progress.update { $0.channel = snapshot }
        }
        return SourceEnd(truncation: relay.truncation())
      } catch {
        guard case .source(let failure) = error else { throw error }
        return SourceEnd(truncation: relay.truncation(), failure: failure)
      }
    }
  }

  func carryOpaqueMain(_ channel: Channel, _ kind: ChannelKind) -> MigrationOutcome? {
    let reason =
      kind == .recovery
      ? BypassReason.postcopyRecovery.description : EncryptedPreparation.reason
    // What was dropped before a recovery stays dropped.
    let isUnedited = progress.now.total.counters.droppedPages == 0
    if kind == .recovery {
      logger.notice("the main channel of the recovery is passed on unedited")
    } else {
      logger.warning("forwarding everything unedited: \(reason)")
    }
    // The guest of a recovery runs at the destination, whoever carried it there.
    guard kind == .recovery ? pointOfNoReturn.pass() : pointOfNoReturn.loseSight() else {
      return .interrupted
    }
    // Others are decided on when the guest has been asked, if it is.
    if kind == .recovery || hook == nil { shared.decide(EditingSession.Terms()) }
    defer { shared.finish() }
    progress.update {
      if $0.connectedAt == nil { $0.connectedAt = .now }
      if isUnedited {
        if $0.uneditedReason == nil { $0.uneditedReason = reason }
        $0.channel.bypassReason = reason
      }
      $0.awaitsRecovery = false
    }
    return carryMain(channel) { () throws(ChannelFailure) in
      do throws(ChannelFailure) {
        if kind == .encrypted { try relayEncrypted(channel) } else { try relayRaw(channel) }
        return SourceEnd()
      } catch {
        guard case .source(let failure) = error else { throw error }
        return SourceEnd(failure: failure)
      }
    }
  }

  /// Runs the return path beside `relay`, and passes the end of either side on.
  func carryMain(
    _ channel: Channel, relay: () throws(ChannelFailure) -> SourceEnd
  ) -> MigrationOutcome? {
    shut.withLock { $0 = nil }
    let path = ReturnPath(
      destination: channel.destination, source: channel.source,
      lastWord: { self.lastWordToSource() },
      heardShut: { value in self.shut.withLock { $0 = value } })
    let returnPath = shortage.thread("return-path", for: channel.source) { path.relayUntilEnd() }
    let end: SourceEnd
    do throws(ChannelFailure) {
      end = try relay()
      channels.ending(channel)
    } catch {
      switch error {
      case _ where givesGuestBack():
        // What the source still says on other channels finds its place for as long as this one has one.
        channels.cutDestinationsOff()
        returnPath?.join(for: options.closingTime)
        drain(channel.source)
        channels.ending(channel)
        channels.shutDownAll()
      // Only this thread passes the point.
      case .closeBoth where !pointOfNoReturn.isPassed, .channelEnded:
        // Nobody may take what has crossed for a whole guest.
        channels.ending(channel)
        channels.shutDownAll()
      case .closeBoth, .destination, .source:
        channels.ending(channel)
        // Passed on: what the other side still said first, then the end.
        channel.destination.shutDownWriting()
        returnPath?.join(for: options.closingTime)
        channel.shutDown()
      }
      // QEMU is asked only now: one that writes its devices' state answers nothing before the write
      // has ended, which nobody reads any more.
      let outcome = outcome(of: error)
      // Of a stream that is not read nobody has seen the switchover, and QEMU knows of it. Of one that is read the
      // destination has nothing to recover before the point.
      let mayBePaused = pointOfNoReturn.isPassed || pointOfNoReturn.isUnseen
      return mayBePaused && isBroken() ? waitForRecovery() : outcome
    }
    channel.destination.shutDownWriting()
    returnPath?.join(for: options.closingTime)
    channel.shutDown()
    return outcome(after: end)
  }

  /// What the source hears when the destination has said everything.
  private func lastWordToSource() -> [UInt8] {
    let wasRefused = pointOfNoReturn.isRefused
    guard givesGuestBack() else { return [] }
    if !wasRefused {
      let failure = SystemError("read from the destination", because: "it has ended the connection")
      secondaryFailure.note(.destination(failure))
    }
    return RefusedSwitchover.failure
  }

  /// Reads what the source of a refused switchover still sends.
  private func drain(_ source: Socket) {
    RefusedSwitchover.drain(source) {
      // It says nothing before its operator lets it go on.
      (try? self.qmp.queryMigrate().status) == "pre-switchover"
    }
  }

  // MARK: On the other channels' threads

  func carrySecondary(_ channel: Channel) -> MigrationOutcome? {
    let connections = secondaryFailure.connections
    // Behind TLS both sides speak on every channel.
    let back = shortage.thread("return-\(channel.id)", for: channel.source) {
      ReturnPath(destination: channel.destination, source: channel.source).relayUntilEnd()
    }
    do throws(ChannelFailure) {
      switch channel.role {
      case .multifd: try relayMultifd(channel)
      case .preempt: try relayPreempt(channel)
      case .encrypted: try relayEncrypted(channel)
      case .main, .opaqueMain: preconditionFailure("a main channel is carried by carryMain(_:)")
      }
      if channel.role == .multifd { shared.ended(channel.id) }
      channel.destination.shutDownWriting()
      back?.join(for: options.closingTime)
    } catch {
      let isRefused = givesGuestBack()
      // QEMU notices that one of its channels is gone and ends the migration itself.
      if !isRefused, case .closeBoth = error, pointOfNoReturn.abandon() {
        secondaryFailure.set(error)
        channels.shutDownAll()
      } else {
        secondaryFailure.note(error, of: connections)
      }
      // After the reason, which the main channel looks for then.
      if channel.role == .multifd { shared.ended(channel.id) }
      if isRefused {
        // The main channel's thread meets that, and sees to the rest.
        channels.cutDestinationsOff()
        // The source needs all of its channels to come to its end.
        drain(channel.source)
      }
    }
    channel.shutDown()
    return nil
  }

  func relayMultifd(_ channel: Channel) throws(ChannelFailure) {
    var relay = try MultifdChannel(
      channel, session: shared, marks: marks, within: downtimeLimit,
      running: { [qmp] in qmp.events.runningNanoseconds },
      claimFailure: { [self] in givesGuestBack() || pointOfNoReturn.abandon() })
    try relay.relayUntilEnd { snapshot in
      progress.update { $0.others[channel.id] = snapshot }
    }
  }

  func relayPreempt(_ channel: Channel) throws(ChannelFailure) {
    // It has said something, so the guest runs at the destination, and the terms are known.
    let terms = shared.awaitTerms()
    guard shared.awaitPageSize() == EditingSession.pageSize else { return try relayRaw(channel) }
    var editor = StreamEditor(preemptChannelOf: terms.blocks)
    if let dead = terms.dead { editor.install(dead) }
    if let mark = terms.mark { editor.watch(mark) }
    var relay = MainChannel(channel, editor: editor, within: downtimeLimit)
    var handler = NothingToDecide()
    try relay.relay(handler: &handler) { snapshot in
      progress.update { $0.others[channel.id] = snapshot }
    }
  }

  func relayEncrypted(_ channel: Channel) throws(ChannelFailure) {
    let relay = RawRelay(
      channel: channel, downtimeLimit: downtimeLimit, pausesAfter: EncryptedPreparation.freeBytes)
    try relay.relayUntilEnd(
      pause: { encrypted.holdUp(channel) },
      published: { snapshot in progress.update { $0.others[channel.id] = snapshot } })
  }

  func relayRaw(_ channel: Channel) throws(ChannelFailure) {
    try RawRelay(channel: channel, downtimeLimit: downtimeLimit).relayUntilEnd { snapshot in
      progress.update { $0.others[channel.id] = snapshot }
    }
  }
}
