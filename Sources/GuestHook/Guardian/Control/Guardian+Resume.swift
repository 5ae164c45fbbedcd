import Glibc
import HookLink

/// The end of a migration, at the destination or at the source: everything is given back, then the
/// caches are read back. Never are frames held and caches refaulted at once.
extension Guardian {
  func end(_ migration: Migration, atDestination: Bool) {
    migration.atDestination = atDestination
    migration.steps = []
    migration.notes = []
    migration.revoking = nil
    migration.enter(.releasing)
    migration.reclaimer?.stop()
    // Said in every case, and before anything is let go: nobody may drop any more.
    if options.rules.saysReleasedFirst { migration.mark.writeReleased() }
    letFramesGo(migration)
    for database in migration.databases
    where database.stage == .preparing || database.stage == .late {
      // It answers when its eviction is done.
      database.stage = .releasing
      database.connection.send(LocalMessage.Release(), for: migration.id)
    }
    port.send(
      GuestMessage.Progress(activity: "letting the held frames go", done: 0, total: 0),
      for: migration.id, droppable: true)
    continueReleasing(migration)
  }

  func continueReleasing(_ migration: Migration) {
    let waiting = migration.databases.contains { $0.stage == .releasing }
    let tooLong = monotonicNanoseconds() - migration.phaseBegan > HoldLimits.release
    guard !waiting || tooLong, migration.reclaimer?.hasGivenBack ?? true else { return }
    if waiting { logger.error("a database does not let its frames go; it is resumed anyway") }
    migration.noteStep("release", since: migration.phaseBegan)
    migration.enter(.resuming)
    for database in migration.databases where database.stage != .gone {
      database.stage = .resuming
      database.connection.send(
        LocalMessage.Resume(
          threads: options.refaults ? options.refaultThreads : 0,
          leavesPerSecond: options.refaultRate, yields: options.refaultYields),
        for: migration.id)
    }
    continueResuming(migration)
  }

  func continueResuming(_ migration: Migration) {
    // A migration that waits has been waiting for this: its PREPARE ends the reading back.
    guard queued != nil || !migration.databases.contains(where: { $0.stage == .resuming })
    else { return }
    conclude(migration)
    startQueued()
  }

  /// The migration is over, with what the databases have said so far.
  func conclude(_ migration: Migration) {
    migration.noteStep("resume", since: migration.phaseBegan)
    let answers = migration.databases.compactMap(\.resumed)
    for answer in answers {
      migration.steps += answer.steps
      for note in answer.notes { logger.notice("database: \(note)") }
    }
    let resumed = GuestMessage.Resumed(
      atDestination: migration.atDestination,
      leavesInManifest: answers.reduce(0) { $0 + $1.leavesInManifest },
      leavesRefaulted: answers.reduce(0) { $0 + $1.leavesRefaulted },
      leavesResident: answers.reduce(0) { $0 + $1.leavesResident }, steps: migration.steps)
    lastOutcome = """
      \(migration.id) \(migration.place); \
      \(resumed.leavesRefaulted) of \(resumed.leavesInManifest) leaves read back, \
      \(resumed.leavesResident) resident
      """
    logger.info("migration \(lastOutcome)")
    lastWord = LastWord(id: migration.id, message: resumed)
    repeatLastWord()
    for database in migration.databases { database.reset() }
    self.migration = nil
    kexec.watch(for: nil)
  }

  /// Somebody has come to the port: at the destination that may be long after the arrival. A guardian
  /// that has just started says so: a proxy may be waiting for what its predecessor had begun.
  func greetHost() {
    if !hasGreeted {
      hasGreeted = true
      port.send(
        GuestMessage.Declined(reason: "a guardian has started here, and knows of no migration"),
        for: .none, droppable: true)
    }
    lastWord?.startAgain()
    repeatLastWord()
  }

  /// Says how the last migration ended, when it is time to.
  func repeatLastWord() {
    guard port.isConnected, let word = lastWord, word.isDue else { return }
    port.send(word.message, for: word.id, droppable: true)
    lastWord?.wasSaid()
  }
}
