import Glibc
import HookLink
import Logging
import PageFilter

/// What happens at the editor's stop points: the guest is asked, its report is awaited and put to use
/// as its probes pass, and the point of no return is judged. Lives on the main channel's thread, which it may block.
struct MigrationJudge: StopPointHandler {
  let options: MigrationProxy.Options
  let qmp: QMPClient
  let hook: HookConnection?
  let hookPort: HookPortWatch
  let source: Socket
  let destination: Socket
  let progress: SharedProgress
  let pointOfNoReturn: PointOfNoReturn
  let shared: EditingSession
  let marks: MarkLedger
  /// Waits for the destination to have a preempt channel, where there is to be one, as long as the question is
  /// answered with yes; false where it has none.
  let awaitPreemptLeg: (_ isWanted: () -> Bool) -> Bool
  let logger: Logger

  var passagesSeen = 0
  var multifdChannels = 0
  private var passedPointOfNoReturn = false
  var migration = MigrationID.none
  var asked: ContinuousClock.Instant?
  /// What the guest has reported, once it is put to use.
  var reported: ReportedPages?
  /// Why the stream cannot be edited, where the guest fills its frames with zeroes instead.
  var zeroing: String?
  private var bypassNoted = false
  var offenceNoted = false

  init(
    options: MigrationProxy.Options, qmp: QMPClient, hook: HookConnection?,
    hookPort: HookPortWatch, source: Socket, destination: Socket, progress: SharedProgress,
    pointOfNoReturn: PointOfNoReturn, shared: EditingSession, marks: MarkLedger,
    awaitPreemptLeg: @escaping (_ isWanted: () -> Bool) -> Bool, logger: Logger
  ) {
    self.options = options
    self.qmp = qmp
    self.hook = hook
    self.hookPort = hookPort
    self.source = source
    self.destination = destination
    self.progress = progress
    self.pointOfNoReturn = pointOfNoReturn
    self.shared = shared
    self.marks = marks
    self.awaitPreemptLeg = awaitPreemptLeg
    self.logger = logger
  }

  mutating func reached(
    _ stop: StreamEditor.StopPoint, _ editor: inout StreamEditor
  ) throws(ChannelFailure) {
    switch stop {
    case .blockListKnown:
      shared.learn(pageSize: editor.targetPageSize)
      if let obstacle = askGuest(editor) { leaveUnedited(obstacle) }
      // Pages come on other channels, which wait for the terms at their first; or none may come
      // before the guest has filled its frames with zeroes.
      if multifdChannels > 0 || zeroing != nil { awaitReport(&editor) }
      if asked == nil { shared.decide(EditingSession.Terms(blocks: editor.blocks)) }
    case .firstPageRecord:
      awaitReport(&editor)
    case .endOfRAM:
      if !passedPointOfNoReturn {
        try awaitMultifd(editor, at: stop)
        try judge(editor)
        if saysGivenUp || editor.counters.returnPathOpened && source.peerHasClosed {
          throw MigrationJudge.givenUp
        }
        try passPointOfNoReturn()
      }
      // Nothing comes any more that could be dropped.
      reported?.revokeAll()
    case .postcopySwitchover:
      // The guest is stopped: a report that is not there before the first page does not come.
      if asked != nil {
        hook?.giveUp("post-copy began before the guest had reported")
        awaitReport(&editor)
      }
      try awaitMultifd(editor, at: stop)
      try judgePostcopy(editor)
      try judgePreemptChannel()
      // One that has closed may also wait for a recovery.
      if saysGivenUp
        || source.peerHasClosed
          && (try? qmp.queryMigrate().status).map(MigrationStatus.atSource.contains) == true
      {
        throw MigrationJudge.givenUp
      }
      try passPointOfNoReturn()
    case .probePassed(let probe):
      logger.debug("probe \(probe) has passed where it was expected")
      reported?.prove(probe)
    case .bypass:
      try leaveTheRest(editor)
    }
  }

  /// Whether the source has said that it has given up. Over TCP the end of its connection stands behind bytes that
  /// nobody reads while the judge waits; and QEMU is not asked, which may wait for those to be read.
  var saysGivenUp: Bool {
    qmp.events.observation(until: .now + MigrationProxy.questionTime).migrationStatus
      .map(MigrationStatus.atSource.contains) == true
  }

  /// With a return path a source closes before it has heard from the destination only if it has given up, and then
  /// its guest runs there again, or will in a moment. It may have done so while the judge waited.
  static let givenUp = ChannelFailure.source(
    SystemError("pass the point of no return: the source has given up", code: ECONNRESET))

  /// To be called before the bytes are written that let the guest run.
  private mutating func passPointOfNoReturn() throws(ChannelFailure) {
    guard pointOfNoReturn.pass() else { throw notPassed }
    passedPointOfNoReturn = true
    shared.passPointOfNoReturn()
  }

  /// Something else was decided before.
  private var notPassed: ChannelFailure {
    pointOfNoReturn.isInterrupted
      ? .closeBoth("the proxy was stopped by its operator")
      : .channelEnded("another channel or the destination has failed")
  }

  func hasDropped(_ editor: borrowing StreamEditor) -> Bool {
    editor.hasDropped || shared.hasDropped
  }

  mutating func moved(_ editor: inout StreamEditor) throws(ChannelFailure) {
    noteMarkCopies(editor)
    // Where pages have been dropped the migration is about to fail.
    if !bypassNoted, !passedPointOfNoReturn, multifdChannels > 0, let reason = shared.refusal,
      !hasDropped(editor)
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

  /// The editor reads no further. Nobody would judge what other channels have dropped, or drop from now on; and the
  /// device states may follow at once.
  private mutating func leaveTheRest(_ editor: borrowing StreamEditor) throws(ChannelFailure) {
    guard let reason = editor.bypassReason else { return }
    shared.decide(EditingSession.Terms())
    guard shared.refuseDropping(reason.description) else {
      throw .closeBoth("on the main channel, after pages had been dropped: \(reason)")
    }
    guard pointOfNoReturn.loseSight() else { throw notPassed }
    noteBypass("\(reason)")
  }

  private mutating func noteBypass(_ reason: String) {
    bypassNoted = true
    // Expected, and what the guest has filled with zeroes is of use whatever is read here.
    guard zeroing == nil else { return }
    // What was known before explains more, and may explain this.
    if progress.now.uneditedReason == nil { leaveUnedited(reason) }
    // Nothing will be dropped, so the guest need not wait for the end.
    hook?.abort("the stream cannot be edited: \(reason)")
  }
}
