import Glibc
import HookLink

/// While frames are held: heartbeats, revocation, and letting go when nobody answers.
extension Guardian {
  /// Looks at everything that time or another thread may have changed.
  func advance() {
    guard let migration else { return }
    kexec.noticed.lower()
    // Before any clock: at the destination nobody answers, and that is right.
    if migration.mark.saysDestination, !migration.atDestination {
      logger.info("this is the destination of migration \(migration.id)")
      migration.atDestination = true
      if migration.phase == .preparing || migration.phase == .holding {
        end(migration, atDestination: true)
      }
    }
    for news in migration.reclaimer?.takeNews() ?? [] {
      port.send(
        GuestMessage.Progress(activity: news.activity, done: news.done, total: news.total),
        for: migration.id, droppable: true)
    }
    switch migration.phase {
    case .preparing:
      watchShortage(migration)
      reportWithoutTheLate(migration)
      watchLink(migration)
    case .holding:
      beat(migration)
      watchPressure(migration)
      if migration.holdsFrames, migration.mark.isWithdrawn {
        giveFramesBack(migration, because: LoadedKernel.reason)
      }
      watchRevocation(migration)
      watchLink(migration)
    case .releasing: continueReleasing(migration)
    case .resuming: continueResuming(migration)
    }
  }

  func receive(_ acknowledgement: HostMessage.Acknowledge, _ migration: Migration) {
    migration.lastAcknowledgement = monotonicNanoseconds()
    migration.unansweredHeartbeats = 0
    migration.linkLostSince = nil
    if let revoking = migration.revoking, revoking.sequence == acknowledgement.sequence {
      migration.revoking = nil
      if let part = revoking.part {
        letGo(part, migration)
      } else {
        logger.info("the proxy has given the frames back")
        letFramesGo(migration)
      }
    }
  }

  /// Each heartbeat gives the proxy the lease anew, so nobody whom it may reach too late is sent one: where
  /// nobody answers, the lease has to run out.
  private func beat(_ migration: Migration) {
    let now = monotonicNanoseconds()
    guard now - migration.lastHeartbeat >= HoldLimits.heartbeat, migration.linkLostSince == nil,
      !isSilent(migration), !isRevokedInVain(migration)
    else { return }
    sendHeartbeat(migration, at: now, droppable: true)
  }

  /// Gives the proxy the lease anew, for a time that is counted from `now`.
  ///
  /// - Parameter droppable: it may be left out where the proxy does not read.
  func sendHeartbeat(_ migration: Migration, at now: UInt64, droppable: Bool) {
    migration.lastHeartbeat = now
    migration.unansweredHeartbeats += 1
    port.send(
      GuestMessage.Heartbeat(sequence: migration.nextSequence(), time: now), for: migration.id,
      droppable: droppable)
  }

  /// While databases evict, the ballast is given back, and where that is not enough what others hold that have done so
  /// already; tasks that wait for memory may be those that evict. Where there is no ballast, page cache is still to be
  /// dropped.
  private func watchShortage(_ migration: Migration) {
    guard isTimeToLook, let complaint = pressure.shortage() else { return }
    if let reclaimer = migration.reclaimer, !reclaimer.hasGivenBack {
      giveBallastBack(migration, because: complaint)
    } else if complaint.isUrgent {
      giveUnreportedBack(migration, because: complaint)
    }
  }

  /// Nobody has been told of these frames yet, so nobody has to be asked.
  private func giveUnreportedBack(
    _ migration: Migration, because complaint: PressureGauge.Complaint
  ) {
    for database in migration.databases where database.ring != nil && database.stage == .prepared {
      logger.warning("database \(database.home) lets its frames go: \(complaint.reason)")
      migration.note(
        """
        memory was nearly out while others prepared (\(complaint.reason)), so no frames of database \
        \(database.home) are held
        """)
      leaveOut(database, migration)
      letGoUnreported(database, migration)
    }
  }

  /// Ballast first, because it costs nothing to give back; then the frames, a part at a time for as long as
  /// memory is tight, and all of them where it is nearly out.
  private func watchPressure(_ migration: Migration) {
    guard isTimeToLook, let complaint = pressure.complaint() else { return }
    if migration.reclaimer != nil {
      giveBallastBack(migration, because: complaint)
    } else if migration.holdsFrames {
      let reason = "memory is tight (\(complaint.reason))"
      if complaint.isUrgent {
        giveFramesBack(migration, because: reason, within: HoldLimits.urgentRevoke)
      } else {
        givePartBack(migration, because: reason)
      }
    }
  }

  /// At memory, every now and then.
  private var isTimeToLook: Bool {
    let now = monotonicNanoseconds()
    guard now >= nextPressureCheck else { return false }
    nextPressureCheck = now + HoldLimits.pressureInterval
    return true
  }

  private func giveBallastBack(_ migration: Migration, because complaint: PressureGauge.Complaint) {
    guard let reclaimer = migration.reclaimer else { return }
    let hadBallast = !reclaimer.hasGivenBack
    reclaimer.stop()
    guard reclaimer.hasGivenBack else { return }
    if hadBallast {
      logger.warning("memory is tight (\(complaint.reason)): the ballast has been given back")
    }
    migration.reclaimer = nil
  }

  /// Lets every frame go for which there is no proxy to ask; the others when it has answered, or not in so many
  /// nanoseconds.
  func giveFramesBack(
    _ migration: Migration, because reason: String, within patience: UInt64 = HoldLimits.revoke
  ) {
    guard migration.holdsFrames else { return }
    if let revoking = migration.revoking {
      // Without an answer everything is let go, whatever was asked for.
      migration.revoking?.patience = min(revoking.patience, patience)
      return
    }
    if migration.request.zeroHeldFrames {
      logger.warning("letting the zeroed frames go: \(reason)")
      letFramesGo(migration)
      return
    }
    logger.warning("revoking every held frame: \(reason)")
    let sequence = migration.nextSequence()
    migration.revoking = Revocation(
      sequence: sequence, since: monotonicNanoseconds(), patience: patience)
    port.send(GuestMessage.Revoke(sequence: sequence, ranges: nil), for: migration.id)
  }

  private func watchRevocation(_ migration: Migration) {
    guard isRevokedInVain(migration), leaseIsOver(migration) else { return }
    logger.error("the proxy does not acknowledge: RELEASED is written, and the frames are let go")
    migration.revoking = nil
    if options.rules.saysReleasedFirst { migration.mark.writeReleased() }
    letFramesGo(migration)
  }

  /// A REVOKE has waited for its acknowledgement for as long as anybody may need for one.
  private func isRevokedInVain(_ migration: Migration) -> Bool {
    migration.revoking.map { monotonicNanoseconds() - $0.since > $0.patience } ?? false
  }

  private func isSilent(_ migration: Migration) -> Bool {
    let patience =
      migration.request.zeroHeldFrames ? HoldLimits.silenceAfterZeroes : HoldLimits.silence
    return migration.unansweredHeartbeats >= Int(patience / HoldLimits.heartbeat)
  }

  /// In post-copy a RELEASED may travel too late: then only the lease counts, from the last heartbeat that
  /// was sent, because the proxy may be about to answer it. Where nothing is dropped nothing has to be
  /// waited for.
  private func leaseIsOver(_ migration: Migration) -> Bool {
    !migration.request.postcopyPossible || migration.request.zeroHeldFrames
      || !options.rules.keepsLease
      || monotonicNanoseconds() - max(migration.lastAcknowledgement, migration.lastHeartbeat)
        > HoldLimits.lease
  }

  /// A link that has hung up may mean that the proxy is gone, that it still drops, or that this is
  /// the destination; the verdict is looked at before (``advance()``). Where the stream cannot be
  /// edited there is no verdict: that nobody speaks any more is how the destination's guest learns
  /// that it is over, and right at the source too.
  private func watchLink(_ migration: Migration) {
    if !port.isConnected, migration.linkLostSince == nil {
      logger.notice("the host has closed the hook port")
      migration.linkLostSince = monotonicNanoseconds()
    }
    let lost = migration.linkLostSince != nil
    // The last heartbeat may be answered for as long as any other.
    let silent =
      migration.phase == .holding && isSilent(migration)
      && monotonicNanoseconds() - migration.lastHeartbeat >= HoldLimits.heartbeat
    guard lost || silent, leaseIsOver(migration) else { return }
    logger.warning("nobody speaks for migration \(migration.id) any more: this guest goes on")
    migration.endedUntold = migration.request.zeroHeldFrames
    end(migration, atDestination: false)
  }

  /// Lets every frame go while the migration goes on: acknowledged, or RELEASED is written.
  func letFramesGo(_ migration: Migration) {
    migration.holdsFrames = false
    migration.mark.nothingIsHeld()
    keeper.letGo(migration.id)
    for database in migration.databases {
      database.forgetHold()
      if database.stage == .prepared {
        database.stage = .releasing
        database.connection.send(LocalMessage.Release(), for: migration.id)
      }
    }
  }
}
