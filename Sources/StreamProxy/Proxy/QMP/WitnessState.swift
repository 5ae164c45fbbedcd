/// The state behind a ``MigrationWitness``: a function of the events, their times and nothing else.
struct WitnessState {
  var observation = MigrationWitness.Observation()
  var record: [MigrationWitness.Entry] = []
  var isSuspended = false
  var runningSince: SuspendingClock.Instant?
  var accumulated = Duration.zero
  /// How often somebody asked for the socket to be read empty, and which of these is done.
  var drainsAsked: UInt64 = 0
  var drainsDone: UInt64 = 0

  mutating func apply(_ event: GuestEvent, at time: SuspendingClock.Instant) {
    switch event {
    case .stop:
      observation.isStopped = true
      observation.stoppedAt = time
    case .resume:
      observation.isStopped = false
      observation.stoppedAt = nil
    case .reset:
      observation.resets += 1
      // A reset wakes a guest that slept.
      isSuspended = false
    case .suspend: isSuspended = true
    case .wakeup: isSuspended = false
    case .migration(let status): observation.migrationStatus = status
    case .portChange(let id, let isOpen):
      observation.openPorts[id] = isOpen
      if !isOpen { observation.portClosings[id] = time }
    }
    account(at: time)
  }

  /// Starts or stops the running time's clock after a change of state.
  mutating func account(at time: SuspendingClock.Instant) {
    let runs = observation.isStopped == false && !isSuspended
    if runs, runningSince == nil {
      runningSince = time
    } else if !runs, let since = runningSince {
      accumulated += since.duration(to: time)
      runningSince = nil
    }
  }

  /// The observation with the running time up to `now`.
  func observed(at now: SuspendingClock.Instant) -> MigrationWitness.Observation {
    var observation = observation
    let running = accumulated + (runningSince.map { max($0.duration(to: now), .zero) } ?? .zero)
    let (seconds, attoseconds) = running.components
    observation.runningNanoseconds =
      UInt64(max(seconds, 0)) * 1_000_000_000 + UInt64(max(attoseconds, 0) / 1_000_000_000)
    return observation
  }
}
