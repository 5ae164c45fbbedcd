import Glibc
import HookLink
import Logging
import PageFilter
import Synchronization

/// One migration through the proxy, from the listening socket to the summary.
///
/// Who owns what: the main channel's thread owns the editor, the buffers and the judgement; the hook
/// link's thread obeys the guest, under the link's lock; the QMP client's thread keeps the witness;
/// the control task shows the progress and keeps the bandwidth pinned. This type owns their lifetimes.
public final class MigrationProxy: Sendable {
  public struct Options: Sendable {
    public var listen: SocketAddress
    public var connect: SocketAddress
    public var qmp: SocketAddress
    /// nil passes the stream on unedited.
    public var hook: SocketAddress?
    public var prepareTimeout = Duration.seconds(60)
    /// How long the guest may take to answer PREPARE with the address of its mark page, which it
    /// does before it evicts anything; after it, nobody is taken to be there.
    public var answerTimeout = Duration.seconds(10)
    /// How old the mark page's last copy may be when the guest stops.
    public var markBound = Duration.seconds(10)
    /// How long QMP may take to report the guest's STOP once the end of RAM has arrived.
    public var stopTimeout = Duration.seconds(10)
    /// Change nothing in the source's migration settings.
    public var leaveSettings = false
    public var showsProgressLine = false

    public init(listen: SocketAddress, connect: SocketAddress, qmp: SocketAddress) {
      self.listen = listen
      self.connect = connect
      self.qmp = qmp
    }
  }

  /// SO_RCVBUF of the source's connection: part of what QEMU takes for sent.
  private static let receiveBuffer: Int32 = 128 * 1024
  /// How long the destination may take to close after the source has.
  private static let closingTime = Duration.seconds(10)
  /// How long the source may take to say what its migration came to once its stream has ended.
  private static let verdictTime = Duration.seconds(5)
  /// How long the guest is given to hear an ABORT before its port is closed.
  private static let abortTime = Duration.seconds(3)

  private let options: Options
  private let logger: Logger
  private let listener: Listener
  private let qmp: QMPClient
  private let hook: HookConnection?
  private let setup: MigrationSetup
  private let progress = SharedProgress()
  /// The destination's is dialled only when the source has said something.
  private let legs = Mutex<(source: Socket?, destination: Socket?)>((nil, nil))
  private let pointOfNoReturn = PointOfNoReturn()

  /// Opens everything that the migration will need. The source's settings are changed last, so that
  /// a refusal leaves nothing behind.
  ///
  /// - Throws: an error that says in one sentence what cannot be used.
  public init(_ options: Options, logger: Logger) throws {
    self.options = options
    self.logger = logger
    qmp = try QMPClient.connect(to: QMPAddress(options.qmp))
    hook = try options.hook.map { address in
      HookConnection(try Socket.connect(to: address), logger: logger)
    }
    listener = try Listener(options.listen, receiveBuffer: MigrationProxy.receiveBuffer)
    setup = MigrationSetup(client: qmp)
    let preparation = try setup.prepare(changing: !options.leaveSettings && hook != nil)
    for refusal in preparation.refusals { logger.warning("\(refusal)") }
    if !preparation.turnedOn.isEmpty {
      logger.info("turned on for this migration: \(preparation.turnedOn.joined(separator: ", "))")
    }
  }

  /// Carries the migration and puts back what was changed.
  public func run() async -> MigrationSummary {
    hook?.start()
    logger.info("waiting for the source at \(listener.address)")
    let control = ControlTask(
      progress: progress, pointOfNoReturn: pointOfNoReturn, qmp: qmp, setup: setup,
      showsLine: options.showsProgressLine,
      pins: !options.leaveSettings && hook != nil, logger: logger)
    let ticking = Task { await control.run() }
    let outcome = await BlockingThread.run("main-channel") { self.carry() }
    let ended = ContinuousClock.now
    ticking.cancel()
    await BlockingThread.run("finish") { self.finish(outcome) }
    await ticking.value
    qmp.close()
    let values = progress.now
    let began = values.connectedAt ?? ended
    return MigrationSummary(outcome, values, total: began.duration(to: ended))
  }

  /// Ends the migration on the operator's wish: before the point of no return both legs are closed
  /// and the source guest goes on; after it the migration is carried to its end.
  public func interrupt() {
    // A stream that is not parsed has no point of no return that could be seen; QEMU knows.
    let isBlind = progress.now.channel.bypassReason != nil
    guard !(isBlind && guestMayHaveMoved()), pointOfNoReturn.interrupt() else {
      logger.warning("the point of no return has passed; carrying the migration to its end")
      return
    }
    listener.cancel()
    legs.withLock { legs in
      legs.source?.shutDown()
      legs.destination?.shutDown()
    }
  }

  /// Whether the source's guest stands still, or nobody can say that it does not.
  private func guestMayHaveMoved() -> Bool {
    guard let status = try? qmp.queryMigrate().status, qmp.events.observation.isStopped == false
    else { return true }
    return !["setup", "active"].contains(status)
  }

  // MARK: The main channel's thread

  private func carry() -> MigrationOutcome {
    do {
      while let source = try listener.accept() {
        var channel = MainChannel(source: source, editor: StreamEditor())
        // It may stay silent for long; an interrupt must find it all the same.
        legs.withLock { $0.source = source }
        guard !pointOfNoReturn.isInterrupted else { return .interrupted }
        // A connection that ends without a byte is libvirt's, which opens one early.
        guard try channel.awaitFirstBytes() else { continue }
        progress.update { $0.connectedAt = .now }
        return relay(&channel, from: source)
      }
      return .interrupted
    } catch let failure as ChannelFailure {
      return outcome(of: failure)
    } catch {
      return .failed("\(error)")
    }
  }

  private func relay(_ channel: inout MainChannel, from source: Socket) -> MigrationOutcome {
    let destination: Socket
    do throws(SystemError) {
      destination = try DestinationLeg(address: options.connect).dial()
    } catch {
      source.shutDown()
      return .destinationEnded(error.description)
    }
    legs.withLock { $0.destination = destination }
    // An interrupt that came while it was being dialled found nothing to close.
    guard !pointOfNoReturn.isInterrupted else {
      source.shutDown()
      destination.shutDown()
      return .interrupted
    }
    refuseOtherConnections()
    let returnPath = BlockingThread("return-path") {
      ReturnPath(destination: destination, source: source).relayUntilEnd()
    }
    var control = MigrationControl(
      options: options, qmp: qmp, hook: hook, source: source, destination: destination,
      progress: progress, pointOfNoReturn: pointOfNoReturn, logger: logger)
    do throws(ChannelFailure) {
      try channel.relay(to: destination, handler: &control) { snapshot in
        progress.update { $0.channel = snapshot }
      }
    } catch {
      let outcome = outcome(of: error)
      if case .closeBoth = error {
        // Nobody may take what has crossed for a whole guest.
        source.shutDown()
        destination.shutDown()
      } else {
        // Passed on: what the other side still said first, then the end.
        destination.shutDownWriting()
        returnPath.join(for: MigrationProxy.closingTime)
        source.shutDown()
        destination.shutDown()
      }
      return outcome
    }
    destination.shutDownWriting()
    returnPath.join(for: MigrationProxy.closingTime)
    destination.shutDown()
    return outcome(afterSourceEnded: channel.truncation())
  }

  /// This release knows one connection only. Another one is a multifd or preempt channel, and saying
  /// so is better than letting it wait.
  private func refuseOtherConnections() {
    _ = BlockingThread("listener") { [listener, logger] in
      while let other = try? listener.accept() {
        logger.error(
          """
          refused a second connection from the source: this release carries one channel; turn off \
          multifd and postcopy-preempt on both sides
          """)
        other.shutDown()
      }
    }
  }

  private func outcome(of failure: ChannelFailure) -> MigrationOutcome {
    if pointOfNoReturn.isInterrupted { return .interrupted }
    switch failure {
    case .closeBoth(let reason): return .failed(reason)
    case .destination(let error): return .destinationEnded(error.description)
    case .source(let error): return .sourceEnded(error.description)
    }
  }

  /// The source has closed: QEMU knows whether because all is done.
  private func outcome(afterSourceEnded truncation: String?) -> MigrationOutcome {
    if pointOfNoReturn.isInterrupted { return .interrupted }
    let (status, explanation) = finalStatus()
    switch status {
    case "completed": return .completed
    case "cancelled": return .sourceEnded("the migration was cancelled at the source")
    case "failed":
      let reason = explanation ?? truncation ?? "the source reports that the migration failed"
      return pointOfNoReturn.isPassed
        ? .destinationEnded(reason) : .sourceEnded(reason)
    default:
      let values = progress.now
      if pointOfNoReturn.isPassed, truncation == nil { return .completed }
      let reason = truncation ?? "the source closed the connection"
      guard values.channel.counters.droppedPages > 0, !pointOfNoReturn.isPassed else {
        return .sourceEnded(reason)
      }
      // Nobody cancelled, and what has crossed is no whole guest.
      return .failed("\(reason), after pages had been dropped")
    }
  }

  /// What QEMU says the migration came to, as soon as it says so. Asked and not awaited as an event,
  /// because the capability `events` may be off.
  private func finalStatus() -> (status: String?, explanation: String?) {
    let deadline = ContinuousClock.now + MigrationProxy.verdictTime
    while true {
      let answer = try? qmp.queryMigrate()
      let status = answer?.status
      let isFinal = status.map { ["completed", "failed", "cancelled"].contains($0) } ?? true
      guard !isFinal, ContinuousClock.now < deadline else {
        return (status ?? qmp.events.observation.migrationStatus, answer?.errorDescription)
      }
      usleep(20_000)
    }
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

extension QMPAddress {
  init(_ address: SocketAddress) {
    self =
      switch address {
      case .unix(let path): .unix(path: path)
      case .tcp(let host, let port): .tcp(host: host, port: UInt16(port) ?? 0)
      }
  }
}
