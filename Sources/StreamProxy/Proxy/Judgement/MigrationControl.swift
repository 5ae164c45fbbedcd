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
  let shared: EditingSession
  let marks: MarkLedger
  let logger: Logger

  var passagesSeen = 0
  var multifdChannels = 0
  private var passedPointOfNoReturn = false
  var migration = MigrationID.none
  private var asked: ContinuousClock.Instant?
  private var bypassNoted = false
  /// What is to be logged once it has been written that the guest may run.
  var proven: String?
  private var offenceNoted = false

  init(
    options: MigrationProxy.Options, qmp: QMPClient, hook: HookConnection?, source: Socket,
    destination: Socket, progress: SharedProgress, pointOfNoReturn: PointOfNoReturn,
    shared: EditingSession, marks: MarkLedger, logger: Logger
  ) {
    self.options = options
    self.qmp = qmp
    self.hook = hook
    self.source = source
    self.destination = destination
    self.progress = progress
    self.pointOfNoReturn = pointOfNoReturn
    self.shared = shared
    self.marks = marks
    self.logger = logger
  }

  mutating func reached(
    _ stop: StreamEditor.Stop, _ editor: inout StreamEditor
  ) throws(ChannelFailure) {
    switch stop {
    case .blockListKnown:
      shared.learn(pageSize: editor.targetPageSize)
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
        try passPointOfNoReturn()
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
      try passPointOfNoReturn()
    }
  }

  /// To be called before the bytes are written that let the guest run.
  private mutating func passPointOfNoReturn() throws(ChannelFailure) {
    guard pointOfNoReturn.pass() else { throw .closeBoth("the proxy was stopped by a signal") }
    passedPointOfNoReturn = true
    shared.passPointOfNoReturn()
  }

  func hasDropped(_ editor: borrowing StreamEditor) -> Bool {
    editor.hasDropped || shared.hasDropped
  }

  mutating func moved(_ editor: inout StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
    if let sentence = proven {
      // Said after the bytes have gone: whoever reads the log may be slow, and the guest stands.
      proven = nil
      logger.info("\(sentence)")
    }
    if !bypassNoted, let reason = editor.bypassReason {
      shared.decide(EditingSession.Terms())
      guard shared.refuseDropping(reason.description) else {
        throw .closeBoth("on the main channel, after pages had been dropped: \(reason)")
      }
      noteBypass("\(reason)")
    } else if !bypassNoted, !passedPointOfNoReturn, multifdChannels > 0, let reason = shared.refusal
    {
      noteBypass("on a multifd channel: \(reason)")
    }
    guard !offenceNoted, !passedPointOfNoReturn, let offence = hook?.offence else { return }
    guard !hasDropped(editor) else {
      throw .closeBoth("the guest broke its word after pages had been dropped: \(offence)")
    }
    // Its pages have been taken back already.
    noteOffence(offence)
  }

  private mutating func noteBypass(_ reason: String) {
    bypassNoted = true
    // What was known before explains more, and may explain this.
    if progress.now.uneditedReason == nil { leaveUnedited(reason) }
    // Nothing will be dropped, so the guest need not wait for the end.
    hook?.abort("the stream cannot be edited: \(reason)")
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
      guard !MigrationStatus.sinceSwitchover.contains(status) else {
        return "the guest has been stopped already (migration state \(status)) and cannot be asked"
      }
      guard MigrationStatus.beforeSwitchover.contains(status) else {
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
      multifdChannels = capabilities.multifdChannels
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
      postcopyPossible: capabilities.postcopyPossible, zeroHeldFrames: false,
      timeoutMilliseconds: UInt32(clamping: Int(options.prepareTimeout / .milliseconds(1))))
    logger.info("asking the guest to evict its cache", metadata: ["migration": "\(migration)"])
    let witness = qmp.events
    hook.prepare(request, session: GuestSession(migration: migration, pages: pages)) {
      witness.runningNanoseconds
    }
    return nil
  }

  func leaveUnedited(_ reason: String) {
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
        // A guest that hears of its mark page no more would not know where it is.
        if rule == nil { hook.abort(reason) }
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
    let rule = watchMark(session, &editor)
    var terms = EditingSession.Terms(blocks: editor.blocks, mark: rule)
    defer { shared.decide(terms) }
    for note in report.notes.prefix(MigrationControl.notesShown) {
      logger.notice("guest: \(note)")
    }
    guard rule != nil else {
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
    terms.dead = session.pages.dead
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
    let rule = MarkRule(
      address: address, identification: MarkPage.identification(for: migration),
      identificationOffset: MarkPage.Offset.signature, verdict: MarkPage.verdict(for: migration),
      verdictOffset: MarkPage.Offset.verdict)
    editor.watch(rule)
    return rule
  }
}
