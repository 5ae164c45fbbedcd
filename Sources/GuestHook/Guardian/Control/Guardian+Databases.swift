import CGuestSystem
import Glibc
import HookLink

/// What comes over the local socket.
extension Guardian {
  func receive(
    _ message: LocalMessage, of id: MigrationID, from peer: Peer
  ) throws(MessageError) {
    guard let database = peer.database else {
      receiveFromClient(message, peer)
      return
    }
    if case .register(let registration) = message {
      guard registration.home == database.home else {
        return refuse(peer, "a database registers with one directory")
      }
      database.registration = registration
      logNotes(of: registration)
      return
    }
    // Answers to a client's request belong to no migration.
    if id == .none, answerClient(message, database) { return }
    guard let migration, migration.id == id,
      migration.databases.contains(where: { $0 === database })
    else { return }
    switch message {
    case .progress(let progress):
      port.send(progress, for: id, droppable: true)
    case .held(let held):
      take(held, of: database, in: migration)
    case .prepared(let prepared):
      if database.stage == .late || database.stage == .preparing && database.isRefused {
        // Nothing that it holds has been reported: it may let go at once.
        database.prepared = prepared
        database.stage = .releasing
        database.connection.send(LocalMessage.Release(), for: id)
        if database.isRefused { finishPreparingIfDone(migration) }
        return
      }
      guard database.stage == .preparing else { return }
      database.prepared = prepared
      database.stage = .prepared
      finishPreparingIfDone(migration)
    case .released:
      guard database.stage == .releasing else { return }
      database.stage = .released
    case .resumed(let resumed):
      guard database.stage == .resuming else { return }
      database.resumed = resumed
      database.stage = .idle
    case .failed(let failure):
      failed(failure, database, migration)
    default:
      refuse(peer, "a database has no reason to send this message")
    }
  }

  private func logNotes(of registration: LocalMessage.Register) {
    for note in registration.notes { logger.notice("database \(registration.home): \(note)") }
  }

  private func receiveFromClient(_ message: LocalMessage, _ peer: Peer) {
    switch message {
    case .register(let registration):
      guard registration.home.hasPrefix("/") else {
        refuse(peer, "a database registers with the absolute path of its directory")
        return
      }
      peer.database = Database(peer, registration)
      logger.info("database \(registration.home) (\(registration.engine)), process \(peer.pid)")
      logNotes(of: registration)
    case .statusRequest:
      peer.connection.send(LocalMessage.Status(lines: statusLines), for: .none)
    case .databasesRequest:
      let entries = databases.map {
        LocalMessage.Databases.Entry(pid: $0.pid, registration: $0.registration)
      }
      peer.connection.send(LocalMessage.Databases(entries: entries), for: .none)
    case .save(let request):
      begin(.save(request), for: peer)
    case .load(let request):
      begin(.load(request), for: peer)
    default:
      refuse(peer, "this message has to come from a registered database")
    }
  }

  /// Takes duplicates of the ring, here and in the keeper: from now on the frames stay held even if
  /// the database is killed.
  private func take(
    _ held: LocalMessage.HeldMemory, of database: Database, in migration: Migration
  ) {
    guard database.stage == .preparing, database.ring == nil else { return }
    guard migration.isKept else {
      database.isRefused = true
      return
    }
    do throws(SystemError) {
      let ring = try database.take(held)
      if !keeper.keep(ring, mark: nil, for: migration.id) { goOnWithoutKeeper(migration) }
    } catch {
      // Not held by the guardian is not held at all: nothing of it is reported.
      migration.note("database \(database.home): \(error); its frames are not reported")
      database.isRefused = true
    }
  }

  private func failed(
    _ failure: LocalMessage.Failed, _ database: Database, _ migration: Migration
  ) {
    logger.warning("database \(database.home), \(failure.step): \(failure.reason)")
    migration.note("database \(database.home), \(failure.step): \(failure.reason)")
    switch database.stage {
    case .preparing:
      // Nothing of it is reported, and it is told to let go and to resume with the others.
      database.stage = .prepared
      leaveOut(database, migration)
      finishPreparingIfDone(migration)
    case .releasing: database.stage = .released
    case .resuming: database.stage = .idle
    case .idle, .prepared, .late, .released, .gone: break
    }
  }

  /// Nothing of a database has been reported nor will be: nobody is to hold its frames any longer.
  func leaveOut(_ database: Database, _ migration: Migration) {
    guard database.ring != nil else { return }
    database.forgetHold()
    // The keeper lets go of everything at once; it is given the others' again.
    keeper.letGo(migration.id)
    let rings = migration.databases.compactMap(\.ring)
    let isKept =
      keeper.keep(migration.mark.pin, mark: migration.mark.memory, for: migration.id)
      && rings.allSatisfy { keeper.keep($0, mark: nil, for: migration.id) }
    if !isKept { goOnWithoutKeeper(migration) }
  }

  /// The keeper is gone, and what it had with it, before anything has been reported. If this process were killed too,
  /// frames would be somebody else's as soon as a database ends, and the mark page would say HOLDING.
  func goOnWithoutKeeper(_ migration: Migration) {
    migration.isKept = false
    migration.note(Migration.noKeeper)
    for database in migration.databases where database.ring != nil {
      database.forgetHold()
      letGoUnreported(database, migration)
    }
  }

  /// Nothing of a database has been reported nor will be: it lets go at once, or when it has evicted.
  func letGoUnreported(_ database: Database, _ migration: Migration) {
    switch database.stage {
    case .preparing: database.isRefused = true
    case .prepared:
      database.stage = .releasing
      database.connection.send(LocalMessage.Release(), for: migration.id)
    case .idle, .late, .releasing, .released, .resuming, .gone: break
    }
  }

  /// A database's process has ended, or its connection has.
  func lost(_ database: Database) {
    logger.notice("database \(database.home), process \(database.pid), is gone")
    database.stage = .gone
    lostForClient(database)
    guard let migration, migration.databases.contains(where: { $0 === database }) else { return }
    switch migration.phase {
    case .preparing:
      migration.note("database \(database.home) went away while it prepared")
      leaveOut(database, migration)
      finishPreparingIfDone(migration)
    case .holding:
      // Its ring's duplicates hold the frames until the proxy has cleared them.
      if migration.holdsFrames, database.ring != nil {
        giveFramesBack(migration, because: "database \(database.home) is gone")
      }
    case .releasing, .resuming: break
    }
  }
}
