import Threads

/// What QEMU's events have told about one guest: whether it runs, for how long it ran, whether it
/// was reset, and how far the migration is.
///
/// STOP, RESUME, RESET and MIGRATION arrive in the order in which they happened and are never
/// throttled; a closing virtio-serial port is a hint only (see ``GuestEvent``). A QEMU that has sent
/// the END section of `ram` has written its STOP to the QMP socket before, so a proxy with END in
/// hand asks ``waitForStop(until:)``, which first has everything read that is in the socket
/// already: an answer never rests on an older STOP while a RESUME or a RESET lies unread.
///
/// A guest that sleeps (S3, runstate `suspended`) when it is to be stopped has its STOP in every release, so
/// SUSPEND need not stand for one. From 9.0 on QEMU stops such a guest like one that runs (system/cpus.c,
/// vm_stop_force_state with runstate_is_live). Before, that function said nothing of a guest that does not run;
/// but migration_completion and postcopy_start (migration/migration.c) called qemu_system_wakeup_request first,
/// so its runstate is `running` when it is stopped. 7.2 says SUSPEND, STOP, and WAKEUP soon after, when no
/// processor is resumed any more (resume_all_vcpus asks the runstate).
///
/// Times are those of receipt, on the host's monotonic clock.
public final class MigrationWitness: Sendable {
  /// What is known at one moment.
  public struct Observation: Equatable, Sendable {
    /// By the last STOP or RESUME, or by query-status before any; nil until either is known.
    public internal(set) var isStopped: Bool?
    /// When the STOP arrived that still holds; nil if the guest was stopped before the connection.
    public internal(set) var stoppedAt: SuspendingClock.Instant?
    /// RESETs since ``MigrationWitness/mark()``.
    public internal(set) var resets = 0
    /// How long the guest ran since ``MigrationWitness/mark()``, in nanoseconds: not while it was
    /// stopped, nor while it slept (SUSPEND to WAKEUP).
    public internal(set) var runningNanoseconds: UInt64 = 0
    /// The last MIGRATION event's status.
    public internal(set) var migrationStatus: String?
    /// By port id, what the last VSERPORT_CHANGE said.
    public internal(set) var openPorts: [String: Bool] = [:]
    /// By port id, when the last VSERPORT_CHANGE that closed it arrived.
    var portClosings: [String: SuspendingClock.Instant] = [:]
    /// Why nothing more will be learned.
    public internal(set) var lost: QMPError?
  }

  /// What ``waitForStop(until:)`` found.
  public enum Verdict: Equatable, Sendable {
    /// The guest is stopped, and all that QEMU had said before was taken into account.
    case stopped(Observation)
    /// The connection ended: a RESUME or a RESET may have been missed.
    case connectionLost(QMPError)
    /// The guest still ran, for all that is known, when the deadline passed.
    case deadline
  }

  /// An event, and when it was received.
  public struct Entry: Equatable, Sendable {
    public var event: GuestEvent
    public var receivedAt: SuspendingClock.Instant
  }

  /// How many events ``record`` keeps.
  public static let recordLimit = 256

  private let state = Guarded(WitnessState())
  private let askForDrain: @Sendable () -> Void

  /// - Parameter askForDrain: makes the reader go round once more; it calls ``drainsAsked()`` before
  ///   it reads and ``drained(_:)`` when there was nothing left to read.
  init(askForDrain: @escaping @Sendable () -> Void) {
    self.askForDrain = askForDrain
  }

  // MARK: Asking

  /// Begins the account of one migration: running time and resets count from here.
  public func mark() {
    state.update { state in
      let now = SuspendingClock.now
      state.observation.resets = 0
      state.accumulated = .zero
      if state.runningSince != nil { state.runningSince = now }
    }
  }

  public var observation: Observation { state.read { $0.observed(at: .now) } }

  /// Guest time that passed since ``mark()`` while it ran, by receipt times.
  public var runningNanoseconds: UInt64 { observation.runningNanoseconds }

  /// The last ``recordLimit`` events in the order of their arrival.
  public var record: [Entry] { state.read { $0.record } }

  /// Waits until the guest is stopped: by the last of STOP and RESUME, where a STOP that came before
  /// and was not followed by a RESUME counts, or by query-status when there was neither.
  public func waitForStop(until deadline: SuspendingClock.Instant) -> Verdict {
    let ticket = requestDrain()
    let verdict: Verdict? = state.wait(until: deadline) { state in
      if let lost = state.observation.lost { return .connectionLost(lost) }
      guard state.drainsDone >= ticket, state.observation.isStopped == true else { return nil }
      return .stopped(state.observed(at: .now))
    }
    return verdict ?? .deadline
  }

  /// What is known when all that QEMU had said before has been taken into account, or the deadline has passed.
  func observation(until deadline: SuspendingClock.Instant) -> Observation {
    let ticket = requestDrain()
    let heard: Observation? = state.wait(until: deadline) { state in
      guard state.drainsDone >= ticket || state.observation.lost != nil else { return nil }
      return state.observed(at: .now)
    }
    return heard ?? observation
  }

  /// Has the reader read its socket empty; the number of the request.
  private func requestDrain() -> UInt64 {
    let ticket = state.update { state in
      state.drainsAsked += 1
      return state.drainsAsked
    }
    askForDrain()
    return ticket
  }

  // MARK: Told by the reader

  /// What query-status said; events that came before know better.
  func begin(isStopped: Bool, isSuspended: Bool) {
    state.update { state in
      guard state.observation.isStopped == nil else { return }
      state.observation.isStopped = isStopped
      state.isSuspended = isSuspended
      state.account(at: .now)
    }
  }

  func receive(_ event: GuestEvent, at time: SuspendingClock.Instant) {
    state.update { state in
      if state.record.count == MigrationWitness.recordLimit { state.record.removeFirst() }
      state.record.append(Entry(event: event, receivedAt: time))
      state.apply(event, at: time)
    }
  }

  func drainsAsked() -> UInt64 { state.read { $0.drainsAsked } }

  func drained(_ ticket: UInt64) {
    guard state.read({ $0.drainsDone < ticket }) else { return }
    state.update { $0.drainsDone = ticket }
  }

  func lose(_ reason: QMPError) {
    state.update { state in
      if state.observation.lost == nil { state.observation.lost = reason }
    }
  }
}
