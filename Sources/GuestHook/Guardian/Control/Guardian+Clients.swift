import HookLink

/// A client's `save` or `load`, which waits for the databases' answers. One at a time.
struct ClientRequest {
  enum Action {
    case save(LocalMessage.SaveManifest)
    case load(LocalMessage.LoadManifest)
  }

  var peer: Peer
  var step: String
  var waiting: [Database]
  var prepared = LocalMessage.Prepared(
    leavesListed: 0, leavesInManifest: 0, leavesEvicted: 0, steps: [], notes: [])
  var resumed = LocalMessage.DatabaseResumed(
    leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0, steps: [], notes: [])
  var failure: LocalMessage.Failed?
}

extension Guardian {
  var statusLines: [String] {
    var lines = [
      "version: \(leafcutterVersion)",
      "port: \(options.port), \(port.isConnected ? "connected" : "nobody at the other end")",
      "migration: \(migration.map { "\($0.id) \($0.phase.rawValue)" } ?? "none")",
      "held pages: \(migration.flatMap { $0.holdsFrames ? $0.pagesReported + $0.pagesZeroed : nil } ?? 0)",
      "last migration: \(lastOutcome)",
      "keep: \(options.keepPercent) % of each cache",
      "databases: \(databases.count)",
    ]
    for database in databases {
      let registration = database.registration
      lines.append(
        """
        database: \(registration.home) (\(registration.engine)), process \(database.pid), \
        \(registration.listsLeaves ? "lists its leaves" : "only shrinks its cache"), \
        \(registration.holdsFrames ? "holds its frames" : "holds no frames")
        """)
      if let prepared = database.prepared {
        lines.append(
          """
          evicted: \(prepared.leavesEvicted) of \(prepared.leavesInManifest) leaves, \
          \(prepared.leavesInManifest - min(prepared.leavesEvicted, prepared.leavesInManifest)) stay \
          in the cache
          """)
      }
      lines += registration.notes.map { "note: \($0)" }
    }
    return lines
  }

  func begin(_ action: ClientRequest.Action, for peer: Peer) {
    let (step, home) =
      switch action {
      case .save(let request): ("save", request.home)
      case .load(let request): ("load", request.home)
      }
    func fail(_ reason: String) {
      peer.connection.send(LocalMessage.Failed(step: step, reason: reason), for: .none)
    }
    guard migration == nil else { return fail("a migration is under way") }
    guard clientRequest == nil else { return fail("another save or load is under way") }
    let chosen = databases.filter { home.isEmpty || $0.home == home }
    guard !chosen.isEmpty else {
      return fail(home.isEmpty ? "no database has registered" : "no database is at \(home)")
    }
    clientRequest = ClientRequest(peer: peer, step: step, waiting: chosen)
    for database in chosen {
      switch action {
      case .save(let request): database.connection.send(request, for: .none)
      case .load(let request): database.connection.send(request, for: .none)
      }
    }
  }

  /// Whether a database's message was the answer to a client's request.
  func answerClient(_ message: LocalMessage, _ database: Database) -> Bool {
    guard let peer = clientRequest?.peer,
      clientRequest?.waiting.contains(where: { $0 === database }) == true
    else { return false }
    switch message {
    case .progress(let progress):
      peer.connection.send(progress, for: .none)
      return true
    case .prepared(let one):
      clientRequest?.prepared.leavesListed += one.leavesListed
      clientRequest?.prepared.leavesInManifest += one.leavesInManifest
      clientRequest?.prepared.steps += one.steps
      clientRequest?.prepared.notes += one.notes
    case .resumed(let one):
      clientRequest?.resumed.leavesInManifest += one.leavesInManifest
      clientRequest?.resumed.leavesRefaulted += one.leavesRefaulted
      clientRequest?.resumed.leavesResident += one.leavesResident
      clientRequest?.resumed.steps += one.steps
      clientRequest?.resumed.notes += one.notes
    case .failed(let failure):
      clientRequest?.failure = LocalMessage.Failed(
        step: failure.step, reason: "database \(database.home): \(failure.reason)")
    default:
      return false
    }
    finishClient(without: database)
    return true
  }

  func lostForClient(_ database: Database) {
    guard clientRequest?.waiting.contains(where: { $0 === database }) == true else { return }
    let step = clientRequest?.step ?? ""
    clientRequest?.failure = LocalMessage.Failed(
      step: step, reason: "database \(database.home) ended")
    finishClient(without: database)
  }

  private func finishClient(without database: Database) {
    clientRequest?.waiting.removeAll { $0 === database }
    guard let request = clientRequest, request.waiting.isEmpty else { return }
    clientRequest = nil
    if let failure = request.failure {
      request.peer.connection.send(failure, for: .none)
    } else if request.step == "save" {
      request.peer.connection.send(request.prepared, for: .none)
    } else {
      request.peer.connection.send(request.resumed, for: .none)
    }
  }
}
