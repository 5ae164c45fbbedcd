// How a migration is ended before its end, so that the guest runs at one side.

extension MigrationProxy {
  /// Ends the migration on the operator's wish: before the point of no return both legs are closed
  /// and the source guest goes on, after the source has got back one that it has stopped
  /// (``RefusedSwitchover``); past the point the migration is carried to its end, unless post-copy has lost its
  /// connections.
  public func interrupt() { _ = tryInterrupt() }

  /// - Returns: false where the migration is carried to its end.
  func tryInterrupt() -> Bool {
    // Asked a second time.
    if pointOfNoReturn.isRefused, pointOfNoReturn.isInterrupted { return true }
    if isSwitchingToPostcopy, pointOfNoReturn.refuse(forOperator: true) {
      logger.notice("the source's guest is stopped; the proxy ends when it runs there again")
      listener.cancel()
      // The main channel's thread meets that, and sees to it.
      channels.cutDestinationsOff()
      return true
    }
    guard claimsInterrupt() else {
      logger.warning("\(reasonToGoOn)")
      return false
    }
    listener.cancel()
    channels.finish(.interrupted)
    channels.shutDownAll()
    return true
  }

  /// Why the operator's wish is not obeyed.
  var reasonToGoOn: String {
    if pointOfNoReturn.isRefused {
      "the switchover has been refused; the source is getting its guest back"
    } else if pointOfNoReturn.isPassed {
      "the point of no return has passed; carrying the migration to its end"
    } else {
      """
      the stream is not read, and QMP does not say that the guest runs at the source, so it may have left; carrying the \
      migration to its end (migrate_cancel at the source ends it where that is possible)
      """
    }
  }

  /// Before the point of no return it is claimed that nobody passes it.
  func claimsInterrupt() -> Bool {
    // The guest runs at the destination, and a broken connection can break no more.
    if progress.now.awaitsRecovery { return true }
    // A stream that is not parsed has no point of no return that could be seen; QEMU knows.
    // An abandoned migration is being closed already.
    return !(pointOfNoReturn.isUnseen && guestMayHaveMoved())
      && (pointOfNoReturn.interrupt() || pointOfNoReturn.isAbandoned)
  }

  /// Whether the source has stopped its guest, where it can be for a post-copy, and has not been let pass. Closed
  /// connections would leave that guest stopped (``RefusedSwitchover``).
  private var isSwitchingToPostcopy: Bool {
    guard pointOfNoReturn.canBeRefused else { return false }
    let asked = SuspendingClock.now
    // QEMU may wait for the very bytes that are held up by this question.
    let answer = try? qmp.queryMigrate(timeout: MigrationProxy.questionTime).status
    let observation = qmp.events.observation
    let status = answer ?? observation.migrationStatus
    if let status, MigrationStatus.sinceSwitchover.contains(status) { return true }
    // Between STOP and the next state QEMU has the guest's disks flushed, however long, and answers nothing
    // (do_vm_stop in system/cpus.c).
    guard answer == nil else { return observation.stoppedAt.map { $0 >= asked } ?? false }
    // A guest that only its operator has stopped costs the time to the stream's end; the other mistake the guest.
    return observation.isStopped == true
      && status.map(MigrationStatus.beforeSwitchover.contains) != false
  }

  /// Whether the source is to get back a guest that it has stopped for post-copy, before anything is closed.
  func givesGuestBack() -> Bool {
    // Somebody else may refuse it meanwhile.
    if isSwitchingToPostcopy { _ = pointOfNoReturn.refuse() }
    return pointOfNoReturn.isRefused
  }

  /// Whether the source's guest stands still, or nobody can say that it does not.
  private func guestMayHaveMoved() -> Bool {
    guard let status = try? qmp.queryMigrate().status else { return true }
    if MigrationStatus.atSource.contains(status) { return false }
    return !MigrationStatus.beforeSwitchover.contains(status)
      || qmp.events.observation.isStopped != false
  }
}
