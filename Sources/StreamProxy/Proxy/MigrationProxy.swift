import Glibc
import HookLink
import Logging
import PageFilter
import Synchronization
import Threads

/// One migration through the proxy, from the listening socket to the summary.
///
/// Who owns what: each channel's thread owns its editor and its buffers, the main channel's the
/// judgement too; the hook link's thread obeys the guest, under the link's lock; the QMP client's
/// thread keeps the witness; the monitor shows the progress and keeps the bandwidth pinned. This
/// type owns their lifetimes.
public final class MigrationProxy: Sendable {
  public struct Options: Sendable {
    public static let defaultPrepareTimeout = Duration.seconds(60)
    public static let defaultMarkBound = Duration.seconds(10)

    /// Where the source's `migrate` connects.
    public var listen: SocketAddress
    /// Where the destination listens (`-incoming`).
    public var connect: SocketAddress
    /// A QMP socket of the source that nobody else uses.
    public var qmp: SocketAddress
    /// The host's side of the guest's hook port; nil passes the stream on unedited.
    public var hook: SocketAddress?
    /// From PREPARE to the complete report; after it the stream passes unedited.
    public var prepareTimeout = Options.defaultPrepareTimeout
    /// How long the guest may take to answer PREPARE with the address of its mark page, which it
    /// does before it evicts anything; after it, nobody is taken to be there.
    public var answerTimeout = Duration.seconds(10)
    /// How old the mark page's last copy may be when the guest stops, in the guest's running time.
    public var markBound = Options.defaultMarkBound
    /// How long QMP may take to report the guest's STOP once the end of RAM has arrived.
    public var stopTimeout = Duration.seconds(10)
    /// Change nothing in the source's migration settings.
    public var leaveSettings = false
    /// Shows the progress in one line of a terminal, on standard error.
    public var showsProgressLine = false
    /// A unix socket for the operator's requests; nil for none.
    public var control: SocketAddress?
    /// How long post-copy's guest stands still for a preempt channel that the destination does not take.
    var preemptTime = Duration.seconds(30)
    /// How long the destination may take to close after the source has, while nothing moves.
    var closingTime = Duration.seconds(10)
    /// How long the source may take to say what its migration came to once its stream has ended.
    var verdictTime = Duration.seconds(5)
    /// So many connections may wait until it is clear what they are. A source has at most 257 (255 multifd
    /// channels, the main and the preempt one).
    var mostUndecided = 600
    /// On which NUMA node the channels are carried.
    public var numa = NodeChoice.off
    var rules = SafetyRules()

    public init(listen: SocketAddress, connect: SocketAddress, qmp: SocketAddress) {
      self.listen = listen
      self.connect = connect
      self.qmp = qmp
    }
  }

  /// How long a question may hold up bytes that somebody may be waiting for.
  static let questionTime = Duration.milliseconds(250)
  /// How long the guest is given to hear an ABORT before its port is closed.
  private static let abortTime = Duration.seconds(3)

  let options: Options
  let logger: Logger
  let listener: Listener
  let operatorSocket: OperatorSocket?
  let qmp: QMPClient
  let hook: HookConnection?
  let hookPort: HookPortWatch
  let setup: MigrationSetup
  let binding: NodeBinding
  let progress = SharedProgress()
  let downtimeLimit = DowntimeLimit()
  let pointOfNoReturn = PointOfNoReturn()
  let shortage: Shortage
  let channels: ChannelSet
  let shared = EditingSession()
  let marks: MarkLedger
  let encrypted: EncryptedPreparation
  /// What ended a channel other than the main one first.
  let secondaryFailure = SecondaryFailure()
  /// What the destination has said on the main channel's return path (``ReturnPathReader``).
  let shut = Mutex<UInt32?>(nil)

  /// Opens everything that the migration will need. The source's settings are changed last, so that
  /// a refusal leaves nothing behind.
  ///
  /// The program must ignore SIGPIPE: splice(2), which carries what is not looked at, cannot be told not to raise it.
  ///
  /// - Parameter logger: is used by the threads that carry the migration, also while the guest stands still: its
  ///   handler must not wait for whoever reads it (``BackgroundOutput``).
  /// - Throws: an error that says in one sentence what cannot be used.
  public init(_ options: Options, logger: Logger) throws {
    self.options = options
    self.logger = logger
    shortage = Shortage(logger: logger)
    try KernelPipe.prepare()
    qmp = try QMPClient.connect(to: options.qmp)
    binding = try NodeBinding(
      options.numa, topology: NodeTopology(), qemu: qmp.peer, logger: logger)
    hookPort = HookPortWatch(options.hook, qmp)
    hook = try options.hook.map { try HookConnection.connect(to: $0, logger: logger) }
    listener = try Listener(
      options.listen, receiveBuffer: Int32(BytesInFlight.smallestBuffer),
      largestReceiveBuffer: Int32(BytesInFlight.largestBuffer))
    operatorSocket = try options.control.map { try OperatorSocket(at: $0) }
    setup = MigrationSetup(client: qmp)
    marks = MarkLedger(rules: options.rules)
    encrypted = EncryptedPreparation(
      options: options, qmp: qmp, hook: hook, progress: progress, shared: shared, logger: logger)
    channels = ChannelSet(
      destination: DestinationLeg(address: options.connect), pointOfNoReturn: pointOfNoReturn,
      shortage: shortage, mostUndecided: options.mostUndecided
    ) { [qmp, downtimeLimit, pointOfNoReturn] in
      // Again, because an operator sets it before they migrate.
      guard let settings = try? MigrationCapabilities.read(from: qmp) else { return .unknown }
      downtimeLimit.learn(settings.parameters.downtimeLimit)
      pointOfNoReturn.learn(
        sourceTakesGuestBack: RefusedSwitchover.isPossible(with: settings, of: qmp.version))
      var expected = ChannelRoster.Expectation(of: settings)
      // Those of a QEMU that does not migrate are not the source's.
      let status = (try? qmp.queryMigrate().status) ?? ""
      if !MigrationStatus.underWay.contains(status) { expected.multifd = nil }
      return expected
    } isGivenUp: { [qmp] hasClosed in
      if hasClosed {
        return (try? qmp.queryMigrate().status).map(MigrationStatus.givenUp.contains) ?? false
      }
      // QEMU may wait for the very bytes that are held up by this question.
      let status = try? qmp.queryMigrate(timeout: MigrationProxy.questionTime).status
      return status.map(MigrationStatus.givenUpByAll.contains) ?? false
    }
    let preparation = try setup.prepare(changing: !options.leaveSettings && hook != nil)
    downtimeLimit.learn(preparation.capabilities.parameters.downtimeLimit)
    for refusal in preparation.refusals { logger.warning("\(refusal)") }
    if !preparation.turnedOn.isEmpty {
      logger.info("turned on for this migration: \(preparation.turnedOn.joined(separator: ", "))")
    }
  }

  /// Carries the migration and puts back what was changed.
  public func run() async -> MigrationSummary {
    logger.info("waiting for the source at \(listener.address)")
    let monitor = MigrationMonitor(
      progress: progress, pointOfNoReturn: pointOfNoReturn, qmp: qmp, setup: setup,
      downtimeLimit: downtimeLimit, showsLine: options.showsProgressLine,
      pins: !options.leaveSettings && hook != nil, logger: logger, hookPort: hookPort,
      whilePaused: { self.endWithoutRecovery() })
    let monitoring = Task { await monitor.run() }
    let outcome = await BlockingThread.run("migration") { self.carry() }
    let ended = ContinuousClock.now
    monitoring.cancel()
    await BlockingThread.run("finish") { self.finish(outcome) }
    await monitoring.value
    await BlockingThread.run("operator-end") { self.operatorSocket?.close() }
    qmp.close()
    let values = progress.now
    let began = values.connectedAt ?? ended
    return MigrationSummary(outcome, values, total: began.duration(to: ended))
  }

  /// From the first connection to the end of the last. Blocks.
  private func carry() -> MigrationOutcome {
    startThreads()
    let outcome = channels.awaitOutcome()
    listener.cancel()
    // The others end with the main one; those that do not are ended.
    if outcome.mayBeComplete { awaitEndWhileBytesMove() }
    channels.shutDownAll()
    channels.awaitEnd(for: options.closingTime)
    return outcome
  }

  /// Each as soon as it is to be had, unless the migration is ended before.
  private func startThreads() {
    let starts: [() -> Bool] = [
      { self.hook?.start() ?? true },
      {
        self.operatorSocket?.serve { request throws(OperatorError) in try self.answer(request) }
          ?? true
      },
      { BlockingThread.makeIfPossible("listener") { self.acceptConnections() } != nil },
    ]
    for start in starts {
      while !start() {
        shortage.note(SystemError("start a thread", code: EAGAIN))
        guard listener.pause(for: Shortage.pause) else { return }
      }
    }
  }

  /// A source without a return path is done when all is in the sockets' buffers, and a wire may be slow.
  private func awaitEndWhileBytesMove() {
    var carried: Int
    repeat {
      carried = progress.now.total.bytesWritten
    } while !channels.awaitEnd(for: options.closingTime)
      && progress.now.total.bytesWritten > carried
  }

  // MARK: Afterwards

  /// Blocks.
  private func finish(_ outcome: MigrationOutcome) {
    listener.cancel()
    if outcome != .completed, let hook, hook.snapshot().session != nil {
      hook.abort(outcome.reason ?? outcome.word)
      // QEMU throws away what the guest has not read when the host side closes.
      hook.awaitAnswerToAbort(for: MigrationProxy.abortTime)
    }
    hook?.close()
    // QEMU takes its capabilities back only when the migration is over.
    _ = finalStatus()
    for failure in setup.restore() { logger.warning("\(failure)") }
  }
}
