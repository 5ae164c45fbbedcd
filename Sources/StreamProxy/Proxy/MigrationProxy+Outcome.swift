import Glibc
import PageFilter

// What a migration came to.

extension MigrationProxy {
  private static let cancelled = MigrationOutcome.sourceEnded(
    "the migration was cancelled at the source")

  func outcome(of failure: ChannelFailure) -> MigrationOutcome {
    if pointOfNoReturn.isInterrupted { return .interrupted }
    let secondary = secondaryFailure.first
    if case .closeBoth(let reason) = secondary { return .failed(reason) }
    switch failure {
    case .closeBoth(let reason): return .failed(reason)
    case .channelEnded(let reason):
      guard case .destination(let error) = secondary else { return .failed(reason) }
      return isCancelled ? MigrationProxy.cancelled : .destinationEnded(error.description)
    // A destination that is told of a cancelled migration by one channel closes the others.
    case .destination where isCancelled, .source where isCancelled: return MigrationProxy.cancelled
    case .destination(let error): return .destinationEnded(error.description)
    case .source(let error): return sourceEnded(error.description)
    }
  }

  /// It ended before the stream was whole.
  private func sourceEnded(_ reason: String) -> MigrationOutcome {
    guard progress.now.total.counters.droppedPages > 0, !pointOfNoReturn.isPassed else {
      return .sourceEnded(reason)
    }
    // Nobody cancelled, and what has crossed is no whole guest.
    return .failed("\(reason), after pages had been dropped")
  }

  private var isCancelled: Bool {
    (try? qmp.queryMigrate().status)?.hasPrefix("cancel") == true
  }

  /// The source has closed: QEMU knows whether because all is done.
  func outcome(after end: SourceEnd) -> MigrationOutcome? {
    if pointOfNoReturn.isInterrupted { return .interrupted }
    let final = finalStatus()
    if let status = final.status {
      if MigrationStatus.broken.contains(status) { return waitForRecovery() }
      // QEMU stays in `cancelling` for as long as its devices take.
      if status.hasPrefix("cancel") { return MigrationProxy.cancelled }
    }
    let shut = shut.withLock { $0 }
    let hasFailed = final.status.map(MigrationStatus.failure.contains) ?? false
    if final.status == "completed" || !hasFailed && shut == 0 { return .completed }
    if let failure = secondaryFailure.first { return outcome(of: failure) }
    if hasFailed {
      let reason =
        final.explanation ?? end.truncation ?? "the source reports that the migration failed"
      return pointOfNoReturn.isPassed || pointOfNoReturn.isRefused
        ? .destinationEnded(reason) : .sourceEnded(reason)
    }
    if shut != nil { return .destinationEnded("the destination reports that it has failed") }
    if end.truncation == nil, mayHaveArrived(final) { return .unknown(end.reason) }
    return sourceEnded(end.reason)
  }

  /// Whether what has crossed may be a whole guest, where the stream does not show that it is not.
  private func mayHaveArrived(_ final: FinalStatus) -> Bool {
    if pointOfNoReturn.isPassed { return true }
    // Nobody sees the point in a stream that is not parsed.
    guard progress.now.isBlind else { return false }
    guard final.isCurrent, let status = final.status else { return true }
    return !MigrationStatus.beforeSwitchover.contains(status)
  }

  /// A post-copy whose connections broke: the guest runs at the destination, and the operator can
  /// have the rest sent over new ones (`migrate` with resume, `migrate-recover`).
  func isBroken() -> Bool {
    if !pointOfNoReturn.isPassed, let status = try? qmp.queryMigrate().status,
      MigrationStatus.beforeSwitchover.contains(status)
    {
      return false
    }
    return finalStatus().status.map(MigrationStatus.broken.contains) ?? false
  }

  /// No outcome yet: the next main channel is the recovery's. What broke says nothing about those that
  /// take its place.
  func waitForRecovery() -> MigrationOutcome? {
    // Where the channels could not be read nobody has seen the switchover.
    guard pointOfNoReturn.pass() else { return .interrupted }
    logger.warning(
      """
      post-copy is paused: have the destination listen on \(channels.target) again \
      (migrate-recover), or elsewhere and say so (leafcutter control retarget), then resume the \
      migration at the source
      """)
    secondaryFailure.forget()
    progress.update { $0.awaitsRecovery = true }
    return nil
  }

  /// Nobody will recover a paused post-copy through this proxy whose rest has gone over other connections, or whose
  /// source is gone. Blocks.
  func endWithoutRecovery() {
    if (try? qmp.queryMigrate().status) == "completed" {
      channels.finish(.completed)
    } else if let lost = qmp.events.observation.lost {
      channels.finish(
        .sourceEnded(
          """
          the source's QMP connection ended while post-copy was paused (\(lost)); the guest waits at the destination \
          for pages that only the source has
          """))
    }
  }

  struct FinalStatus {
    var status: String?
    var explanation: String?
    /// QEMU was there to be asked; otherwise it is what it said last.
    var isCurrent: Bool
  }

  /// What QEMU says the migration came to, as soon as it says so. Asked and not awaited as an event,
  /// because the capability `events` may be off.
  func finalStatus() -> FinalStatus {
    let deadline = ContinuousClock.now + options.verdictTime
    while true {
      let answer = try? qmp.queryMigrate()
      let status = answer?.status
      let isFinal = status.map { MigrationStatus.lasting.contains($0) } ?? true
      guard !isFinal, ContinuousClock.now < deadline else {
        return FinalStatus(
          status: status ?? qmp.events.observation.migrationStatus,
          explanation: answer?.errorDescription, isCurrent: status != nil)
      }
      usleep(20_000)
    }
  }
}
