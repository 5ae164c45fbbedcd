import Glibc
import HookLink
import LeafManifest

/// The control thread: talks to the guardian and does what it asks, one request after another.
final class DatabaseControl {
  /// How long frames stay held after the guardian went away, in nanoseconds: twice its lease towards
  /// the proxy, so that a proxy that may still drop them has stopped before ("the lease" in
  /// docs/architecture.md). At the destination nobody can.
  private static let holdWithoutGuardian: UInt64 = 30_000_000_000
  /// How often the mark page is looked at meanwhile, in milliseconds.
  private static let markInterval: Int32 = 50
  private static let reconnectAfter: Int32 = 1000

  let agent: DatabaseAgent
  var link: GuardianLink?
  /// When the next try is due, on the monotonic clock.
  private var nextConnection: UInt64 = 0
  /// Of the request that is being answered, for what is said meanwhile.
  private(set) var migration = MigrationID.none
  /// Frames have been reported and are ours to keep.
  var isHolding = false
  /// A migration has been prepared for, and RESUME has not ended it.
  var isPrepared = false
  /// What RESUME brings back, or this thread by itself where the guardian is gone.
  var owed: OwedLeaves?
  /// The cache is kept small.
  var smallCache: SmallCache?
  /// How long a proxy waits for a prepare in all, in nanoseconds; by itself 60 s.
  static let usualPatience: UInt64 = 60_000_000_000
  var patience = DatabaseControl.usualPatience
  /// How long checkpoint, eviction and pinning may take each.
  var longestStep: UInt64 { patience / 3 }
  /// A checkpoint that took too long and goes on.
  var unfinishedCheckpoint: Crew?

  var engine: Engine { agent.engine }
  var hold: HoldLibrary? { agent.hold }

  /// Nobody waits any more for what is being done: the migration is over, or the guardian or the database goes
  /// away.
  var isGivenUp: Bool {
    guard let link, !agent.stop.isRaised else { return true }
    return link.hasReceived(LocalMessage.Release.code) || link.isLost
  }

  init(_ agent: DatabaseAgent) { self.agent = agent }

  /// Until the database closes.
  func run() {
    // Without a filter the database is left in peace until there is a guardian.
    if KernelOffer.isFiltered { agent.askKernel() }
    Signal.wait(for: [agent.opened, agent.stop])
    while !agent.stop.isRaised {
      guard connect(), let link else {
        agent.stop.wait(milliseconds: DatabaseControl.reconnectAfter)
        continue
      }
      // While leaves are read back another guardian may come in this one's place.
      while self.link === link && !link.isLost && !agent.stop.isRaised {
        while self.link === link, let frame = link.next() { answer(frame) }
        if self.link !== link || link.isLost { break }
        Signal.wait(for: [agent.stop], or: link.descriptor)
      }
      if agent.stop.isRaised { break }
      recoverWithoutGuardian()
    }
    smallCache?.endWatch()
    unfinishedCheckpoint?.join()
  }

  /// Has a guardian, and has registered with it; false where none is to be had now. One that turns the database away
  /// is not asked again at once.
  func connect() -> Bool {
    if let link, !link.isLost { return true }
    let now = monotonicNanoseconds()
    guard now >= nextConnection else { return false }
    // A little less, for who waits for as long.
    nextConnection = now + UInt64(DatabaseControl.reconnectAfter) * 900_000
    link = GuardianLink(path: agent.socket)
    guard let link else { return false }
    agent.askKernel()
    link.send(agent.registration, for: .none)
    return true
  }

  /// After the database has closed: frames that were reported are still released only when the
  /// guardian says so, or has been gone for long enough.
  func runWithoutEngine() {
    while isHolding {
      guard let link, !link.isLost else {
        // No signal ends this wait.
        waitUntilReleasable(unless: Signal())
        hold?.abandon()
        isHolding = false
        return
      }
      _ = waitReadable([link.descriptor], milliseconds: -1)
      while isHolding, let frame = link.next() {
        if frame.type == LocalMessage.Release.code {
          release(frame.migration)
        } else if case .releasePieces(let request)? = try? LocalMessage(frame) {
          try? release(request)
        } else {
          let failed = LocalMessage.Failed(step: "request", reason: "the database has closed")
          link.send(failed, for: frame.migration)
        }
      }
    }
  }

  private func answer(_ frame: Frame) {
    let identity = frame.migration
    migration = identity
    // While leaves are read back another guardian may have come, which has not asked.
    let link = link
    do throws(StepFailure) {
      switch try request(frame) {
      case .prepare(let request):
        // It waited while leaves were read back, and nobody wants it any more.
        guard link?.hasReceived(LocalMessage.Release.code, for: identity) != true else {
          throw StepFailure("prepare", "the guardian has called it off")
        }
        try prepare(request, for: identity)
      case .releasePieces(let request): try release(request)
      case .release: release(identity)
      case .resume(let request):
        let resumed = try resume(
          Speed(request.threads, request.leavesPerSecond, yields: request.yields))
        link?.send(resumed, for: identity)
      case .save: link?.send(try save(), for: identity)
      case .load(let request):
        let loaded = try load(
          Speed(request.threads, request.leavesPerSecond, yields: request.yields))
        link?.send(loaded, for: identity)
      default: throw StepFailure("request", "message \(frame.type) is not one for a database")
      }
    } catch {
      link?.send(LocalMessage.Failed(step: error.step, reason: error.reason), for: identity)
    }
  }

  private func request(_ frame: Frame) throws(StepFailure) -> LocalMessage {
    do throws(MessageError) { return try LocalMessage(frame) } catch {
      throw StepFailure("request", error)
    }
  }

  private func release(_ identity: MigrationID) {
    if isHolding { hold?.release() }
    isHolding = false
    link?.send(LocalMessage.Released(), for: identity)
  }

  /// A part of what is held: the proxy has forgotten it.
  private func release(_ request: LocalMessage.ReleasePieces) throws(StepFailure) {
    guard isHolding, let hold else { throw StepFailure("release", "no frames are held") }
    do throws(EngineError) {
      for address in request.addresses { try hold.releasePiece(at: address) }
    } catch {
      throw StepFailure("release", error)
    }
  }

  /// Returns when the guest has arrived, or the guardian has been gone for long enough.
  private func waitUntilReleasable(unless stop: Signal) {
    let end = monotonicNanoseconds() + DatabaseControl.holdWithoutGuardian
    while monotonicNanoseconds() < end, hold?.isAtDestination != true,
      !stop.wait(milliseconds: DatabaseControl.markInterval)
    {}
  }

  private func recoverWithoutGuardian() {
    // Another has come while leaves were read back.
    if let link, !link.isLost { return }
    if isHolding {
      waitUntilReleasable(unless: agent.stop)
      // A closing database goes on waiting without the engine.
      if agent.stop.isRaised { return }
      hold?.abandon()
      isHolding = false
    }
    link = nil
    // Nobody is left to ask for it, or to be told how it went.
    migration = .none
    if isPrepared || owed != nil { _ = try? resume(Speed(2, 0, yields: true)) }
  }

  /// Leaves of a database in memory (`in_memory=true`) are nowhere else: a small cache would only fail its
  /// writers. It is the one that makes no such file.
  func expectFiles() throws(StepFailure) {
    // The path is alive during the call.
    guard unsafe access(agent.home + "/WiredTiger", F_OK) != 0, errno == ENOENT else { return }
    throw StepFailure(
      "prepare",
      """
      the database is in memory only (there is no \(agent.home)/WiredTiger), so nothing leaves its cache, and it \
      crosses as memory
      """)
  }

  /// Reads a manifest that is this database's own.
  func readManifest() throws(StepFailure) -> LeafManifest {
    do throws(ManifestError) {
      let manifest = try LeafManifest.read(fromHome: agent.home)
      let identity = try DatabaseIdentity.read(fromHome: agent.home)
      guard manifest.database == identity else { throw ManifestError.otherDatabase }
      return manifest
    } catch {
      throw StepFailure("manifest", error)
    }
  }
}
