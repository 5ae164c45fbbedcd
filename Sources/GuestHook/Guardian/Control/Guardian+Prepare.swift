import CGuestSystem
import Glibc
import HookLink

/// From PREPARE to the report.
extension Guardian {
  func receiveFromHost(_ frame: Frame) {
    let message: HostMessage
    do throws(MessageError) {
      message = try HostMessage(frame)
    } catch {
      logger.warning("the host sent a message that cannot be used: \(error)")
      return
    }
    if case .prepare(let request) = message {
      receive(request, of: frame.migration)
      return
    }
    // Anything of another migration is late.
    guard let migration, migration.id == frame.migration else {
      if case .abort = message, queued?.id == frame.migration { queued = nil }
      return
    }
    switch message {
    case .prepare: break
    case .acknowledge(let acknowledgement): receive(acknowledgement, migration)
    case .abort(let abort):
      if migration.phase == .preparing || migration.phase == .holding {
        logger.notice("the migration is over and this guest stays: \(abort.reason)")
        end(migration, atDestination: migration.mark.saysDestination)
      }
    }
  }

  private func receive(_ request: HostMessage.Prepare, of id: MigrationID) {
    guard id != .none else { return }
    guard !isEnding else {
      port.send(GuestMessage.Declined(reason: Guardian.toldToEnd), for: id)
      return
    }
    guard let migration else {
      start(id, request)
      return
    }
    guard migration.id != id else { return }
    if migration.phase == .resuming {
      // The next PREPARE ends a database's reading back, and what it says of the last one is late.
      logger.notice("another migration begins: reading back after the last one ends here")
      conclude(migration)
      start(id, request)
      return
    }
    // The proxy of the running one is gone, or it would still be at the port.
    queued = (id, request, monotonicNanoseconds())
    if migration.linkLostSince == nil { migration.linkLostSince = monotonicNanoseconds() }
    logger.notice("another migration begins before the last one is over here: it has to wait")
  }

  /// Begins the migration that had to wait, if it still waits.
  func startQueued() {
    guard let next = queued else { return }
    queued = nil
    let waited = monotonicNanoseconds() - next.since
    if waited < .milliseconds(UInt64(next.request.timeoutMilliseconds)) {
      start(next.id, next.request)
    }
  }

  private func start(_ id: MigrationID, _ request: HostMessage.Prepare) {
    lastWord = nil
    guard !kexec.loadedKernel.isThere else {
      logger.warning("cannot take part in migration \(id): \(LoadedKernel.reason)")
      port.send(
        GuestMessage.Declined(reason: LoadedKernel.reason + "; unload it (kexec -u)"), for: id)
      return
    }
    let memory = MemoryInfo.now()
    let migration: Migration
    do throws(SystemError) {
      migration = try Migration(id: id, request: request, freeAtPrepare: memory?.free)
    } catch {
      logger.error("cannot take part in migration \(id): \(error)")
      port.send(GuestMessage.Declined(reason: error.description), for: id)
      return
    }
    self.migration = migration
    kexec.watch(for: migration.mark)
    port.send(
      GuestMessage.Mark(
        guestPhysicalAddress: migration.mark.guestPhysicalAddress, time: monotonicNanoseconds(),
        guardianVersion: leafcutterVersion), for: id)
    logger.info("preparing for migration \(id)")
    keeper.start()
    migration.isKept = keeper.keep(migration.mark.pin, mark: migration.mark.memory, for: id)
    if !migration.isKept { migration.note(Migration.noKeeper) }
    if options.evictsCache {
      migration.databases = databases.filter { $0.stage != .gone }
      if migration.databases.isEmpty { migration.note("no database has registered") }
    } else {
      migration.note("the database's cache is left alone (--no-cache)")
    }
    for database in migration.databases { prepare(database, migration) }
    startReclaimer(migration)
    finishPreparingIfDone(migration)
  }

  private func prepare(_ database: Database, _ migration: Migration) {
    database.reset()
    database.stage = .preparing
    // Refused where this process may not; then the database's own limit counts, and it says so.
    _ = leafcutter_guest_unlimit_memlock(database.pid)
    // Without the mark page it evicts and holds nothing.
    database.connection.send(
      LocalMessage.PrepareDatabase(
        cacheBytes: options.smallCacheBytes, threads: options.evictThreads,
        keepPercent: options.keepPercent,
        timeoutMilliseconds: migration.request.timeoutMilliseconds),
      for: migration.id, with: migration.isKept ? migration.mark.memory : nil)
  }

  /// Nobody waits for a database that hangs until the proxy has given up waiting for all of them.
  func reportWithoutTheLate(_ migration: Migration) {
    let patience = UInt64.milliseconds(UInt64(migration.request.timeoutMilliseconds)) / 10 * 9
    guard monotonicNanoseconds() - migration.began > patience,
      migration.databases.contains(where: { $0.ring != nil && $0.stage == .prepared })
    else { return }
    for database in migration.databases where database.stage == .preparing {
      migration.note("database \(database.home) has not evicted its cache in time")
      leaveOut(database, migration)
      database.stage = .late
    }
    finishPreparingIfDone(migration)
  }

  func finishPreparingIfDone(_ migration: Migration) {
    guard migration.phase == .preparing,
      !migration.databases.contains(where: { $0.stage == .preparing })
    else { return }
    migration.enter(.holding)
    pressure.forgetThePast()
    let prepared = migration.databases.compactMap(\.prepared)
    for answer in prepared {
      migration.steps += answer.steps
      answer.notes.forEach(migration.note)
    }
    let elapsed = monotonicNanoseconds() - migration.began
    if elapsed > .milliseconds(UInt64(migration.request.timeoutMilliseconds)) {
      // The proxy waits no longer and drops nothing: no reason to hold on.
      logger.warning("the databases took longer than the proxy waits; the frames are let go")
      letFramesGo(migration)
    } else {
      if migration.isKept, !keeper.isThere { goOnWithoutKeeper(migration) }
      report(migration, prepared)
    }
    // After the report: filling gigabytes with zeroes takes longer than a proxy may be silent.
    migration.lastAcknowledgement = monotonicNanoseconds()
    migration.reclaimer?.databasesAreDone()
  }

  private func startReclaimer(_ migration: Migration) {
    // Without a database nothing was freed, and nobody's files are known.
    let homes = Set(databases.map(\.visibleHome)).sorted()
    let reclaimer = Reclaimer(
      Reclaimer.Plan(
        homes: options.dropsPageCache ? homes : [],
        freeAtPrepare: options.takesBallast ? migration.freeAtPrepare : nil,
        headroom: options.headroomBytes, executable: options.executable), logger: logger)
    guard let reclaimer, reclaimer.start() else {
      migration.note("page cache and free memory cross as they are: there was no thread for them")
      return
    }
    migration.reclaimer = reclaimer
  }
}
