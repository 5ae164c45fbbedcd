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

  var passagesSeen = 0
  var multifdChannels = 0
  private var passedPointOfNoReturn = false
  var migration = MigrationID.none
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
    shared.passPointOfNoReturn()
    progress.update { $0.passedPointOfNoReturn = true }
  }

  func hasDropped(_ editor: borrowing StreamEditor) -> Bool {
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

  func leaveUnedited(_ reason: String) {
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
}
