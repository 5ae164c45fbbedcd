import HookLink
import Logging
import Threads

/// One PREPARE: whether it makes sense, its sending, and the wait for what the guest makes of it.
struct GuestInquiry {
  /// An honest guest has a handful, and the log is the host's.
  private static let mostToldActivities = 50

  static let zeroesAsked = "the guest is asked to fill what it holds with zeroes instead"

  static func zeroed(_ report: GuestMessage.ReportEnd) -> String {
    "the guest has filled the \(report.pagesZeroed) pages that it holds with zeroes instead"
  }

  let migration: MigrationID
  let began: ContinuousClock.Instant
  private let options: MigrationProxy.Options
  private let hook: HookConnection
  private let qmp: QMPClient

  init(
    _ options: MigrationProxy.Options, _ hook: HookConnection, _ qmp: QMPClient,
    _ migration: MigrationID = .random(), began: ContinuousClock.Instant = .now
  ) {
    self.options = options
    self.hook = hook
    self.qmp = qmp
    self.migration = migration
    self.began = began
  }

  /// Why the guest cannot be asked.
  static func obstacle(
    _ options: MigrationProxy.Options, _ qmp: QMPClient
  ) throws(QMPError) -> String? {
    // The socket of another QEMU would witness another guest.
    let status = try qmp.queryMigrate().status ?? "none"
    guard !MigrationStatus.atSource.contains(status) else {
      return "the migration is over before the guest was asked (migration state \(status))"
    }
    guard !MigrationStatus.sinceSwitchover.contains(status) else {
      return "the guest has been stopped already (migration state \(status)) and cannot be asked"
    }
    guard MigrationStatus.beforeSwitchover.contains(status) else {
      return """
        the QEMU behind --qmp is not the source: its own migration is in state \(status) while the \
        source's is under way
        """
    }
    guard case .unix(let path) = options.hook,
      try qmp.guestHasPortOpen(behindSocket: path) == false
    else { return nil }
    return "no program in the guest has the hook port open: leafcutter-guest does not run in it"
  }

  /// Asks the guest to hold and report; without `pages`, to hold and fill with zeroes.
  func send(postcopyPossible: Bool, pages: ReportedPages?) {
    let request = HostMessage.Prepare(
      postcopyPossible: postcopyPossible, zeroHeldFrames: pages == nil,
      timeoutMilliseconds: UInt32(clamping: Int(options.prepareTimeout / .milliseconds(1))),
      segments: pages?.segments ?? [])
    let witness = qmp.events
    let session = GuestSession(migration: migration, pages: pages, rules: options.rules)
    hook.prepare(request, session: session) { witness.runningNanoseconds }
  }

  /// Whether the guest's end of the hook port has been closed since it was asked.
  private var guardianHasEnded: Bool {
    guard case .unix(let path) = options.hook,
      qmp.events.observation.openPorts.values.contains(false)
    else { return false }
    return (try? qmp.guestHasPortOpen(behindSocket: path)) == false
  }

  /// Over TCP the end of a connection stands behind bytes that nobody reads meanwhile, but QEMU says so.
  private var sourceHasGivenUp: Bool {
    let heard = qmp.events.observation.migrationStatus
    guard heard.map(MigrationStatus.atSource.contains) ?? false else { return false }
    // That may have been an earlier migration's end.
    return (try? qmp.queryMigrate().status).map(MigrationStatus.atSource.contains) ?? false
  }

  /// Waits until the guest has reported, has declined, or is out of time.
  ///
  /// - Parameter isOver: whether the migration has ended meanwhile; asked ten times a second.
  /// - Returns: the session, whose report is not awaited any more.
  func awaitReport(_ logger: Logger, unless isOver: () -> Bool) -> GuestSession? {
    let deadline = began + options.prepareTimeout
    var said = ""
    var told = 0
    var hasAnswered = false
    while true {
      hook.changed.lower()
      let known = hook.snapshot()
      if !hasAnswered, let mark = known.session?.mark {
        hasAnswered = true
        logger.info("leafcutter-guest \(mark.guardianVersion) has answered")
      }
      guard let session = known.session, session.report == .awaited else { return known.session }
      if let activity = session.progress?.activity, activity != said,
        told < GuestInquiry.mostToldActivities
      {
        said = activity
        told += 1
        logger.info("guest: \(activity)")
      }
      if let ended = known.ended {
        hook.giveUp(ended)
      } else if session.mark == nil, ContinuousClock.now >= began + options.answerTimeout {
        hook.giveUp(
          """
          the guest did not answer within \(options.answerTimeout.formattedSeconds) of being asked: \
          leafcutter-guest does not run in it, the guest is paused, or another proxy has the hook \
          socket
          """)
      } else if ContinuousClock.now >= deadline {
        hook.giveUp(
          "the guest did not report within \(options.prepareTimeout.formattedSeconds) of being asked"
        )
      } else if isOver() || sourceHasGivenUp {
        hook.giveUp("the migration ended while the guest was preparing")
      } else if qmp.events.observation.resets > 0 {
        hook.giveUp("the guest was reset while it was preparing")
      } else if guardianHasEnded {
        hook.giveUp(GuestSession.guardianEnded)
      } else {
        _ = waitReadable(hook.changed.descriptor, or: nil, for: .milliseconds(100))
      }
    }
  }
}
