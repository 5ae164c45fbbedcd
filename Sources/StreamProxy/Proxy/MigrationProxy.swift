import Glibc
import HookLink
import Logging
import PageFilter
import Synchronization

/// One migration through the proxy, from the listening socket to the summary.
///
/// Who owns what: each channel's thread owns its editor and its buffers, the main channel's the
/// judgement too; the hook link's thread obeys the guest, under the link's lock; the QMP client's
/// thread keeps the witness; the control task shows the progress and keeps the bandwidth pinned. This
/// type owns their lifetimes.
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
  private let channels: ChannelSet
  private let shared = EditingSession()
  private let marks = MarkLedger()
  /// What ended a channel other than the main one first.
  private let secondaryFailure = Mutex<ChannelFailure?>(nil)
  private let interrupted = Atomic(false)

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
    channels = ChannelSet(destination: DestinationLeg(address: options.connect)) { [qmp] in
      ChannelRoster.Expectation(reading: qmp)
    }
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
      progress: progress, qmp: qmp, setup: setup, showsLine: options.showsProgressLine,
      pins: !options.leaveSettings && hook != nil, logger: logger)
    let ticking = Task { await control.run() }
    let outcome = await withCheckedContinuation { continuation in
      _ = BlockingThread("migration") { continuation.resume(returning: self.carry()) }
    }
    ticking.cancel()
    await ticking.value
    let ended = ContinuousClock.now
    await finish(outcome)
    let values = progress.now
    let began = values.connectedAt ?? ended
    return MigrationSummary(outcome, values, total: began.duration(to: ended))
  }

  /// Ends the migration on the operator's wish: before the point of no return both legs are closed
  /// and the source guest goes on; after it the migration is carried to its end.
  public func interrupt() {
    guard !progress.now.passedPointOfNoReturn else {
      logger.warning("the point of no return has passed; carrying the migration to its end")
      return
    }
    interrupted.store(true, ordering: .sequentiallyConsistent)
    listener.cancel()
    channels.finish(.interrupted)
    channels.shutDownAll()
  }

  /// From the first connection to the end of the last.
  private func carry() -> MigrationOutcome {
    _ = BlockingThread("listener") {
      do {
        while let source = try self.listener.accept() { self.admit(source) }
      } catch {
        self.channels.finish(.failed("\(error)"))
      }
    }
    let outcome = channels.awaitOutcome()
    listener.cancel()
    // The others end with the main one; those that do not are ended.
    if outcome == .completed { channels.awaitEnd(for: MigrationProxy.closingTime) }
    channels.shutDownAll()
    channels.awaitEnd(for: MigrationProxy.closingTime)
    return outcome
  }

  private func admit(_ source: Socket) {
    channels.admit(source) { [logger] reason in
      logger.error("refused a connection of the source: \(reason)")
    } carry: { channel in
      self.logger.debug("channel \(channel.id): \(channel.role)")
      return switch channel.role {
      case .main: self.carryMain(channel)
      case .opaqueMain(let kind): self.carryOpaqueMain(channel, kind)
      case .multifd, .preempt, .encrypted: self.carrySecondary(channel)
      }
    }
  }

  // MARK: On the main channel's thread

  private func carryMain(_ channel: Channel) -> MigrationOutcome? {
    progress.update { $0.connectedAt = .now }
    var relay = MainChannel(source: channel.source, editor: StreamEditor())
    var control = MigrationControl(
      options: options, qmp: qmp, hook: hook, source: channel.source,
      destination: channel.destination, progress: progress, shared: shared, marks: marks,
      logger: logger)
    defer { shared.finish() }
    return carryMain(channel) { () throws(ChannelFailure) in
      try relay.relay(to: channel.destination, handler: &control) { snapshot in
        progress.update { $0.channel = snapshot }
      }
      return relay.truncation()
    }
  }

  private func carryOpaqueMain(_ channel: Channel, _ kind: ChannelKind) -> MigrationOutcome? {
    let reason =
      kind == .recovery
      ? BypassReason.postcopyRecovery.description : "the stream is encrypted (TLS)"
    logger.warning("forwarding everything unedited: \(reason)")
    shared.decide(EditingSession.Terms())
    progress.update {
      if $0.connectedAt == nil { $0.connectedAt = .now }
      if $0.uneditedReason == nil { $0.uneditedReason = reason }
    }
    return carryMain(channel) { () throws(ChannelFailure) in
      try relayRaw(channel)
      return nil
    }
  }

  /// Runs the return path beside `relay`, and passes the end of either side on.
  private func carryMain(
    _ channel: Channel, relay: () throws(ChannelFailure) -> String?
  ) -> MigrationOutcome? {
    let returnPath = BlockingThread("return-path") {
      ReturnPath(destination: channel.destination, source: channel.source).relayUntilEnd()
    }
    let truncation: String?
    do throws(ChannelFailure) {
      truncation = try relay()
      channels.ending(channel)
    } catch {
      channels.ending(channel)
      let outcome = outcome(of: error)
      if case .closeBoth = error {
        // Nobody may take what has crossed for a whole guest.
        channels.shutDownAll()
      } else {
        // Passed on: what the other side still said first, then the end.
        channel.destination.shutDownWriting()
        returnPath.join(for: MigrationProxy.closingTime)
        channel.shutDown()
      }
      return isBroken ? waitForRecovery() : outcome
    }
    channel.destination.shutDownWriting()
    returnPath.join(for: MigrationProxy.closingTime)
    channel.shutDown()
    return outcome(afterSourceEnded: truncation)
  }

  // MARK: On the other channels' threads

  private func carrySecondary(_ channel: Channel) -> MigrationOutcome? {
    // Behind TLS both sides speak on every channel.
    let back = BlockingThread("return-\(channel.id)") {
      ReturnPath(destination: channel.destination, source: channel.source).relayUntilEnd()
    }
    do throws(ChannelFailure) {
      switch channel.role {
      case .multifd: try relayMultifd(channel)
      case .preempt: try relayPreempt(channel)
      default: try relayRaw(channel)
      }
      channel.destination.shutDownWriting()
      back.join(for: MigrationProxy.closingTime)
    } catch {
      // QEMU notices that one of its channels is gone and ends the migration itself.
      secondaryFailure.withLock { if $0 == nil { $0 = error } }
      if case .closeBoth = error { channels.shutDownAll() }
    }
    channel.shutDown()
    return nil
  }

  private func relayMultifd(_ channel: Channel) throws(ChannelFailure) {
    var relay = try MultifdChannel(channel, session: shared, marks: marks) { [qmp] in
      qmp.events.runningNanoseconds
    }
    try relay.relayUntilEnd { snapshot in
      progress.update { $0.others[channel.id] = snapshot }
    }
  }

  private func relayPreempt(_ channel: Channel) throws(ChannelFailure) {
    // It says nothing before the guest runs at the destination, and then the terms are known.
    _ = waitReadable(channel.source.descriptor, or: nil)
    let terms = shared.awaitTerms()
    var editor = StreamEditor(preemptChannelOf: terms.blocks)
    if let dead = terms.dead { editor.install(dead) }
    if let mark = terms.mark { editor.watch(mark) }
    var relay = MainChannel(source: channel.source, editor: editor)
    var handler = NothingToDecide()
    try relay.relay(to: channel.destination, handler: &handler) { snapshot in
      progress.update { $0.others[channel.id] = snapshot }
    }
  }

  private func relayRaw(_ channel: Channel) throws(ChannelFailure) {
    try RawRelay(channel: channel).relayUntilEnd { bytes in
      progress.update { $0.others[channel.id] = ChannelSnapshot(rawBytes: bytes) }
    }
  }

  // MARK: What it came to

  private func outcome(of failure: ChannelFailure) -> MigrationOutcome {
    if interrupted.load(ordering: .sequentiallyConsistent) { return .interrupted }
    if case .closeBoth(let reason) = secondaryFailure.withLock({ $0 }) { return .failed(reason) }
    switch failure {
    case .closeBoth(let reason): return .failed(reason)
    case .destination(let error): return .destinationEnded(error.description)
    case .source(let error): return .sourceEnded(error.description)
    }
  }

  /// The source has closed: QEMU knows whether because all is done.
  private func outcome(afterSourceEnded truncation: String?) -> MigrationOutcome? {
    if interrupted.load(ordering: .sequentiallyConsistent) { return .interrupted }
    let (status, explanation) = finalStatus()
    if let status, MigrationStatus.broken.contains(status) { return waitForRecovery() }
    if status != "completed", let failure = secondaryFailure.withLock({ $0 }) {
      return outcome(of: failure)
    }
    switch status {
    case "completed": return .completed
    case "cancelled": return .sourceEnded("the migration was cancelled at the source")
    case "failed":
      let reason = explanation ?? truncation ?? "the source reports that the migration failed"
      return progress.now.passedPointOfNoReturn
        ? .destinationEnded(reason) : .sourceEnded(reason)
    default:
      guard truncation == nil, progress.now.passedPointOfNoReturn else {
        return .sourceEnded(truncation ?? "the source closed the connection")
      }
      return .completed
    }
  }

  /// A post-copy whose connections broke: the guest runs at the destination, and the operator can
  /// have the rest sent over new ones (`migrate` with resume, `migrate-recover`).
  private var isBroken: Bool {
    (try? qmp.queryMigrate())?.status.map(MigrationStatus.broken.contains) ?? false
  }

  /// A channel that broke says nothing about those that take its place. No outcome yet: the next main channel is the recovery's.
  private func waitForRecovery() -> MigrationOutcome? {
    logger.warning(
      """
      post-copy is paused: have the destination listen on \(options.connect) again \
      (migrate-recover), then resume the migration at the source
      """)
    secondaryFailure.withLock { $0 = nil }
    progress.update { $0.passedPointOfNoReturn = true }
    return nil
  }

  /// What QEMU says the migration came to, as soon as it says so. Asked and not awaited as an event,
  /// because the capability `events` may be off.
  private func finalStatus() -> (status: String?, explanation: String?) {
    let deadline = ContinuousClock.now + MigrationProxy.verdictTime
    while true {
      let answer = try? qmp.queryMigrate()
      let status = answer?.status
      let isFinal = status.map { MigrationStatus.lasting.contains($0) } ?? true
      guard !isFinal, ContinuousClock.now < deadline else {
        return (status ?? qmp.events.observation.migrationStatus, answer?.errorDescription)
      }
      usleep(20_000)
    }
  }

  // MARK: Afterwards

  private func finish(_ outcome: MigrationOutcome) async {
    listener.cancel()
    if outcome != .completed, let hook, hook.snapshot().session != nil {
      hook.abort(outcome.reason ?? outcome.word)
      // QEMU throws away what the guest has not read when the host side closes.
      await withCheckedContinuation { continuation in
        _ = BlockingThread("abort") {
          hook.awaitAnswerToAbort(for: MigrationProxy.abortTime)
          continuation.resume()
        }
      }
    }
    hook?.close()
    for failure in setup.restore() { logger.warning("\(failure)") }
    qmp.close()
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
