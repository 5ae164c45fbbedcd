import HookLink
import Logging
import PageFilter

/// What happens at the editor's stop points: the guest is asked, its report is awaited, and the
/// point of no return is judged. Lives on the main channel's thread, which it may block.
struct MigrationControl: StopPointHandler {
  /// Of what a guest notes in its report; it may note any number of things.
  private static let notesShown = 20

  let options: MigrationProxy.Options
  let qmp: QMPClient
  let hook: HookConnection?
  let source: Socket
  let destination: Socket
  let progress: SharedProgress
  let pointOfNoReturn: PointOfNoReturn
  let logger: Logger

  private var history = MarkHistory()
  private var copiesSeen = 0
  private var migration = MigrationID.none
  private var asked: ContinuousClock.Instant?
  private var bypassNoted = false
  private var isProven = false
  private var offenceNoted = false

  init(
    options: MigrationProxy.Options, qmp: QMPClient, hook: HookConnection?, source: Socket,
    destination: Socket, progress: SharedProgress, pointOfNoReturn: PointOfNoReturn,
    logger: Logger
  ) {
    self.options = options
    self.qmp = qmp
    self.hook = hook
    self.source = source
    self.destination = destination
    self.progress = progress
    self.pointOfNoReturn = pointOfNoReturn
    self.logger = logger
  }

  mutating func reached(
    _ stop: StreamEditor.Stop, _ editor: inout StreamEditor
  ) throws(ChannelFailure) {
    switch stop {
    case .blockListKnown:
      if let obstacle = askGuest(editor) { leaveUnedited(obstacle) }
    case .firstPageRecord:
      awaitReport(&editor)
    case .endOfRAM:
      try judge(editor)
      try passPointOfNoReturn()
    case .postcopySwitchover:
      // Nothing is ever dropped where post-copy is possible (see askGuest).
      try passPointOfNoReturn()
    }
  }

  private func passPointOfNoReturn() throws(ChannelFailure) {
    guard pointOfNoReturn.pass() else { throw .closeBoth("the proxy was stopped by a signal") }
  }

  mutating func moved(_ editor: inout StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
    if editor.counters.ramEnded, isProven {
      // Said after the bytes have gone: whoever reads the log may be slow, and the guest stands.
      isProven = false
      logger.info("proven at the point of no return: the guest held every dropped page to its stop")
    }
    if let reason = editor.bypassReason, !bypassNoted {
      bypassNoted = true
      leaveUnedited(reason.description)
      // Nothing will be dropped, so the guest need not wait for the end.
      hook?.abort("the stream cannot be edited: \(reason)")
    }
    guard !offenceNoted, !editor.counters.ramEnded, let offence = hook?.offence else { return }
    guard !editor.hasDropped else {
      throw .closeBoth("the guest broke its word after pages had been dropped: \(offence)")
    }
    // Its pages have been taken back already.
    noteOffence(offence)
  }

  // MARK: Asking

  /// Sends PREPARE; or the reason why this migration has to be an ordinary one.
  private mutating func askGuest(_ editor: borrowing StreamEditor) -> String? {
    guard let hook else { return "the proxy was told to edit nothing (--no-edit)" }
    let pages: ReportedPages
    let capabilities: MigrationCapabilities
    do {
      // The socket of another QEMU would witness another guest.
      let status = try qmp.queryMigrate().status ?? "none"
      guard ["setup", "active"].contains(status) else {
        return """
          the QEMU behind --qmp is not the source: its own migration is in state \(status) while the \
          source's is under way
          """
      }
      if case .unix(let path) = options.hook,
        try qmp.guestHasPortOpen(behindSocket: path) == false
      {
        return "no program in the guest has the hook port open: leafcutter-guest does not run in it"
      }
      capabilities = try MigrationCapabilities.read(from: qmp)
      if let obstacle = capabilities.editingObstacle { return obstacle }
      if capabilities.postcopyPossible {
        return "capability postcopy-ram is on: this release edits pre-copy only"
      }
      guard editor.counters.returnPathOpened else {
        return """
          the source opened no return path, so it may report success before the proxy has judged; \
          turn on the capability return-path on the source
          """
      }
      guard editor.targetPageSize == GuestMemoryMap.pageSize else {
        return """
          the stream's pages have \(editor.targetPageSize) bytes, and the guest's report speaks of \
          pages of \(GuestMemoryMap.pageSize)
          """
      }
      pages = try ReportedPages(
        map: try GuestMemoryMap.read(from: qmp), streamBlocks: editor.blocks)
    } catch let mismatch as ReportedPages.MismatchError {
      return mismatch.sentence
    } catch {
      return "\(error)"
    }
    migration = .random()
    asked = .now
    qmp.events.mark()
    let request = HostMessage.Prepare(
      postcopyPossible: false, zeroHeldFrames: false,
      timeoutMilliseconds: UInt32(clamping: Int(options.prepareTimeout / .milliseconds(1))))
    logger.info("asking the guest to evict its cache", metadata: ["migration": "\(migration)"])
    let witness = qmp.events
    hook.prepare(request, session: GuestSession(migration: migration, pages: pages)) {
      witness.runningNanoseconds
    }
    return nil
  }

  private func leaveUnedited(_ reason: String) {
    logger.warning("forwarding everything unedited: \(reason)")
    progress.update { $0.uneditedReason = reason }
  }

  private mutating func noteOffence(_ offence: String) {
    offenceNoted = true
    leaveUnedited("the guest's report is not used: \(offence)")
  }

  /// Waits at the first page record until the guest has reported, has declined, or is out of time;
  /// or until a leg has ended, which the relay will notice.
  private mutating func awaitReport(_ editor: inout StreamEditor) {
    guard let hook, let asked else { return }
    let deadline = asked + options.prepareTimeout
    var said = ""
    while true {
      hook.changed.lower()
      let known = hook.snapshot()
      guard let session = known.session else { return }
      if let activity = session.progress?.activity, activity != said {
        said = activity
        logger.info("guest: \(activity)")
      }
      switch session.report {
      case .complete(let report):
        install(session, report, &editor, took: asked.duration(to: .now))
        return
      case .refused(let reason):
        // A guest that hears of its mark page no more would not know where it is.
        if !watchMark(session, &editor) { hook.abort(reason) }
        leaveUnedited(reason)
        return
      case .awaited:
        break
      }
      if let ended = known.ended {
        hook.giveUp(ended)
      } else if session.mark == nil, ContinuousClock.now >= asked + options.answerTimeout {
        hook.giveUp(
          """
          the guest did not answer within \(options.answerTimeout.formattedSeconds) of being asked: \
          leafcutter-guest does not run in it, or the guest is paused
          """)
      } else if ContinuousClock.now >= deadline {
        hook.giveUp(
          "the guest did not report within \(options.prepareTimeout.formattedSeconds) of being asked"
        )
      } else if source.peerHasClosed || destination.peerHasClosed {
        hook.giveUp("the migration ended while the guest was preparing")
      } else {
        // The legs are looked at ten times a second.
        _ = waitReadable(hook.changed.descriptor, or: nil, for: .milliseconds(100))
      }
    }
  }

  private mutating func install(
    _ session: GuestSession, _ report: GuestMessage.ReportEnd, _ editor: inout StreamEditor,
    took: Duration
  ) {
    progress.update {
      $0.report = report
      $0.prepareDuration = took
    }
    for note in report.notes.prefix(MigrationControl.notesShown) {
      logger.notice("guest: \(note)")
    }
    guard watchMark(session, &editor) else {
      hook?.giveUp("unused")
      leaveUnedited("the guest's mark page is at an address that is no guest RAM")
      return
    }
    if let offence = session.offence { return noteOffence(offence) }
    if let lost = qmp.events.observation.lost {
      hook?.abort("the QMP connection is lost")
      return leaveUnedited("the QMP connection ended, so the switchover has no witness (\(lost))")
    }
    editor.install(session.pages.dead)
    logger.info(
      """
      the guest holds \(report.pages) pages and reported them after \(took.formattedSeconds); \
      \(report.leavesInManifest) leaf pages are in its manifest
      """)
  }

  @discardableResult
  private mutating func watchMark(
    _ session: GuestSession, _ editor: inout StreamEditor
  ) -> Bool {
    guard let mark = session.mark,
      let address = session.pages.locate(guestPhysicalAddress: mark.guestPhysicalAddress)
    else { return false }
    editor.watch(
      MarkRule(
        address: address, identification: MarkPage.identification(for: migration),
        identificationOffset: MarkPage.Offset.signature, verdict: MarkPage.verdict(for: migration),
        verdictOffset: MarkPage.Offset.verdict))
    return true
  }

  // MARK: Judging

  private mutating func noteMarkCopies(_ editor: borrowing StreamEditor) {
    if editor.counters.markCopies != copiesSeen {
      copiesSeen = editor.counters.markCopies
      if let page = editor.lastMarkCopy.flatMap({ MarkPage(parsing: $0) }) {
        history.passed(page, running: qmp.events.runningNanoseconds)
      }
    }
    if editor.lastMarkCopy == nil { history.lost() }
  }

  /// With nothing dropped no proof is needed.
  private mutating func judge(_ editor: borrowing StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
    guard editor.hasDropped else { return }
    do throws(ProofFailure) {
      try prove()
      isProven = true
    } catch {
      throw .closeBoth("not proven at the point of no return: \(error)")
    }
  }

  private mutating func prove() throws(ProofFailure) {
    let stopped: MigrationWitness.Observation
    switch qmp.events.waitForStop(until: .now + options.stopTimeout) {
    case .stopped(let observation): stopped = observation
    case .connectionLost(let reason): throw .witnessLost(reason.description)
    case .deadline: throw .guestNotStopped(waited: options.stopTimeout)
    }
    guard stopped.resets == 0 else { throw .guestReset }
    // The guest stands still, so this comes to an end.
    hook?.drain()
    if let offence = hook?.offence { throw .offence(offence) }
    if let clock = hook?.snapshot().session?.clock { history.clock.learn(from: clock) }
    try history.judgeLastCopy(
      of: migration, running: stopped.runningNanoseconds, bound: options.markBound,
      copiesSeen: copiesSeen)
  }
}
