import HookLink
import Logging
import PageFilter

/// What happens at the editor's stop points: the guest is asked, its report is awaited, and the
/// point of no return is judged. Lives on the main channel's thread, which it may block.
struct MigrationControl: StopPointHandler {
  let options: MigrationProxy.Options
  let qmp: QMPClient
  let hook: HookConnection?
  let source: Socket
  let destination: Socket
  let progress: SharedProgress
  let shared: EditingSession
  let marks: MarkLedger
  let logger: Logger

  private var passagesSeen = 0
  private var multifdChannels = 0
  private var passedPointOfNoReturn = false
  private var migration = MigrationID.none
  private var asked: ContinuousClock.Instant?

  init(
    options: MigrationProxy.Options, qmp: QMPClient, hook: HookConnection?, source: Socket,
    destination: Socket, progress: SharedProgress, shared: EditingSession, marks: MarkLedger,
    logger: Logger
  ) {
    self.options = options
    self.qmp = qmp
    self.hook = hook
    self.source = source
    self.destination = destination
    self.progress = progress
    self.shared = shared
    self.marks = marks
    self.logger = logger
  }

  mutating func reached(
    _ stop: StreamEditor.Stop, _ editor: inout StreamEditor
  ) throws(ChannelFailure) {
    switch stop {
    case .blockListKnown:
      if let obstacle = askGuest(editor) { leaveUnedited(obstacle) }
      // Pages come on other channels, which wait for the terms at their first.
      if multifdChannels > 0 { awaitReport(&editor) }
      if asked == nil { shared.decide(EditingSession.Terms(blocks: editor.blocks)) }
    case .firstPageRecord:
      awaitReport(&editor)
    case .endOfRAM:
      if !passedPointOfNoReturn {
        try awaitMultifd(editor)
        try judge(editor)
        passPointOfNoReturn()
      }
      // Nothing comes any more that could be dropped.
      hook?.snapshot().session?.pages.revokeAll()
    case .postcopySwitchover:
      // The guest is stopped: a report that is not there before the first page does not come.
      if asked != nil {
        hook?.giveUp("post-copy began before the guest had reported")
        awaitReport(&editor)
      }
      try awaitMultifd(editor)
      try judgePostcopy(editor)
      passPointOfNoReturn()
    }
  }

  private mutating func passPointOfNoReturn() {
    passedPointOfNoReturn = true
    progress.update { $0.passedPointOfNoReturn = true }
  }

  private func hasDropped(_ editor: borrowing StreamEditor) -> Bool {
    editor.hasDropped || shared.hasDropped
  }

  mutating func moved(_ editor: inout StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
    if let reason = editor.bypassReason {
      shared.decide(EditingSession.Terms())
      guard !shared.refuseDropping(reason.description), !passedPointOfNoReturn else { return }
      throw .closeBoth("on the main channel, after pages had been dropped: \(reason)")
    }
    guard !passedPointOfNoReturn, hasDropped(editor), let offence = hook?.offence else { return }
    throw .closeBoth("the guest broke its word after pages had been dropped: \(offence)")
  }

  // MARK: Asking

  /// Sends PREPARE; or the reason why this migration has to be an ordinary one.
  private mutating func askGuest(_ editor: borrowing StreamEditor) -> String? {
    guard let hook else { return "the proxy was told to edit nothing (--no-edit)" }
    let pages: ReportedPages
    let capabilities: MigrationCapabilities
    do {
      capabilities = try MigrationCapabilities.read(from: qmp)
      if let obstacle = capabilities.editingObstacle { return obstacle }
      multifdChannels = capabilities.multifdChannels
      guard editor.counters.returnPathOpened else {
        return """
          the source opened no return path, so it may report success before the proxy has judged; \
          turn on the capability return-path on the source
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
      postcopyPossible: capabilities.postcopyPossible, zeroHeldFrames: false,
      timeoutMilliseconds: UInt32(clamping: Int(options.prepareTimeout / .milliseconds(1))))
    logger.info("asking the guest to evict its cache", metadata: ["migration": "\(migration)"])
    hook.prepare(request, session: GuestSession(migration: migration, pages: pages))
    return nil
  }

  private func leaveUnedited(_ reason: String) {
    logger.warning("forwarding everything unedited: \(reason)")
    progress.update { $0.uneditedReason = reason }
  }

  /// Waits at the first page record until the guest has reported, has declined, or is out of time;
  /// or until a leg has ended, which the relay will notice.
  private mutating func awaitReport(_ editor: inout StreamEditor) {
    guard let hook, let asked else { return }
    self.asked = nil
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
        let rule = watchMark(session, &editor)
        shared.decide(EditingSession.Terms(blocks: editor.blocks, mark: rule))
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
    for note in report.notes { logger.notice("guest: \(note)") }
    guard let rule = watchMark(session, &editor) else {
      hook?.giveUp("unused")
      shared.decide(EditingSession.Terms(blocks: editor.blocks))
      leaveUnedited("the guest's mark page is at an address that is no guest RAM")
      return
    }
    editor.install(session.pages.dead)
    shared.decide(
      EditingSession.Terms(blocks: editor.blocks, dead: session.pages.dead, mark: rule))
    logger.info(
      """
      the guest holds \(report.pages) pages and reported them after \(took.formattedSeconds); \
      \(report.leavesInManifest) leaf pages are in its manifest
      """)
  }

  private mutating func watchMark(
    _ session: GuestSession, _ editor: inout StreamEditor
  ) -> MarkRule? {
    guard let mark = session.mark,
      let address = session.pages.locate(guestPhysicalAddress: mark.guestPhysicalAddress)
    else { return nil }
    marks.heard(time: mark.time, running: qmp.events.runningNanoseconds)
    let rule = MarkRule(
      address: address, identification: MarkPage.identification(for: migration),
      identificationOffset: MarkPage.Offset.signature, verdict: MarkPage.verdict(for: migration),
      verdictOffset: MarkPage.Offset.verdict)
    editor.watch(rule)
    return rule
  }

  // MARK: Judging

  private mutating func noteMarkCopies(_ editor: borrowing StreamEditor) {
    guard editor.markPassages != passagesSeen else { return }
    passagesSeen = editor.markPassages
    marks.passed(
      editor.lastMarkCopy, on: MigrationControl.mainChannel, behind: editor.lastMarkSyncs,
      running: qmp.events.runningNanoseconds)
  }

  /// The main channel among those of the mark ledger; the others go by their arrival.
  private static let mainChannel = -1

  /// END's pages are on the multifd channels; behind the synchronisation that belongs to END there is
  /// none. The EOS that closes the section, which is at hand, is the mark of it where every section
  /// is synchronised.
  private func awaitMultifd(_ editor: borrowing StreamEditor) throws(ChannelFailure) {
    guard multifdChannels > 0 else { return }
    let counters = editor.counters
    let syncs = counters.multifdFlushes > 0 ? counters.multifdFlushes : counters.ramBodies + 1
    guard shared.awaitSyncs(syncs, of: multifdChannels) || !shared.hasDropped else {
      throw .closeBoth("a multifd channel ended before the end of RAM")
    }
  }

  /// With nothing dropped no proof is needed.
  private mutating func judge(_ editor: borrowing StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
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
  private mutating func judgePostcopy(
    _ editor: borrowing StreamEditor
  ) throws(ChannelFailure) {
    noteMarkCopies(editor)
    guard let session = hook?.snapshot().session, case .complete = session.report else { return }
    do throws(ProofFailure) {
      let stopped = try proveStopped()
      try marks.judgeSoFar(of: migration)
      try proveLease(stopped)
      logger.info("proven before post-copy: the guest holds every dropped page, and its lease runs")
    } catch {
      guard shared.refuseDropping("\(error)"), !editor.hasDropped else {
        throw .closeBoth("not proven before post-copy: \(error)")
      }
      session.pages.revokeAll()
      leaveUnedited("not proven before post-copy: \(error)")
    }
  }

  /// The guest releases its frames without an acknowledgement 15 s after the last one, on its own
  /// clock, which stands still while it is stopped.
  private func proveLease(
    _ stopped: MigrationWitness.Observation
  ) throws(ProofFailure) {
    guard let beat = hook?.lastHeartbeat else { throw .noHeartbeat }
    let stoppedFor = stopped.stoppedAt.map { $0.duration(to: .now) } ?? .zero
    // One that was sent long ago may have been read just now.
    let age = max(
      beat.at.duration(to: .now) - stoppedFor,
      marks.lag(of: beat.time, whenStoppedAt: stopped.runningNanoseconds) ?? .zero)
    guard age < MigrationControl.lease else {
      throw .heartbeatStale(age: age, bound: MigrationControl.lease)
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
    switch qmp.events.waitForStop(until: .now + options.stopTimeout) {
    case .stopped(let observation): stopped = observation
    case .connectionLost(let reason): throw .witnessLost(reason.description)
    case .deadline: throw .guestNotStopped(waited: options.stopTimeout)
    }
    guard stopped.resets == 0 else { throw .guestReset }
    // The guest stands still, so this comes to an end.
    hook?.drain()
    if let offence = hook?.offence { throw .offence(offence) }
    return stopped
  }
}
