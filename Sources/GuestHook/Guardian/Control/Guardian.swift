import CGuestSystem
import Glibc
import HookLink
import Logging
import Threads

/// The guest's side of a migration: tells databases to evict and hold, tells the proxy which frames
/// are held, keeps them held, and lets them go when that is safe.
///
/// Everything is decided on one thread, which waits in poll(2). What takes long is done elsewhere:
/// by the databases, by ``Reclaimer``, by ``MarkPageWriter`` and by ``KexecWatch``.
public final class Guardian {
  private static let maximumPeers = 64
  /// How often the clock is looked at while a migration is on, in milliseconds.
  private static let tick: Int32 = 20

  let options: GuardianOptions
  let logger: Logger
  let port: HookPort
  let keeper: KeeperLink
  let pressure: PressureGauge
  let kexec: KexecWatch
  private let listener: Descriptor
  private(set) var peers: [Peer] = []
  private var complaints = PeerComplaints()
  /// Nobody is accepted before: there was no descriptor to spare for the next.
  private var listensAgain: UInt64 = 0
  var migration: Migration?
  /// A PREPARE that came while another migration was not over yet, and when.
  var queued: (id: MigrationID, request: HostMessage.Prepare, since: UInt64)?
  /// The end of the last migration, until the next begins.
  var lastWord: LastWord?
  /// Whether somebody at the port has been told that this guardian has begun.
  var hasGreeted = false
  /// It has been told to end, and begins nothing more.
  var isEnding = false
  var clientRequest: ClientRequest?
  var nextPressureCheck: UInt64 = 0
  var lastOutcome = "none yet"

  /// Listens for databases and starts the keeper.
  ///
  /// - Throws: ``SystemError``, for instance where another guardian runs.
  public init(_ options: GuardianOptions, logger: Logger) throws(SystemError) {
    self.options = options
    self.logger = logger
    listener = try LocalListener.open(options.socket, group: options.socketGroup)
    port = HookPort(options.port, logger: logger)
    keeper = KeeperLink(
      executable: options.executable, bound: options.keeperBound, logger: logger)
    pressure = PressureGauge(headroom: options.headroomBytes)
    kexec = KexecWatch(LoadedKernel(path: options.loadedKernelPath), logger: logger)
    keeper.start()
  }

  /// Waits until there is something to do, and does it.
  ///
  /// - Parameter stop: ends the wait too.
  func turn(or stop: WakeUp? = nil) {
    waitForSomething(or: stop)
    if port.tryToConnect() { greetHost() }
    port.flush()
    port.receive { receiveFromHost($0) }
    acceptPeers()
    for peer in peers { serve(peer) }
    removeGonePeers()
    advance()
    repeatLastWord()
  }

  // MARK: Waiting

  private func waitForSomething(or stop: WakeUp?) {
    let pause = listensAgain - min(listensAgain, monotonicNanoseconds())
    // A number below zero is passed by (poll(2)).
    let listening = pause == 0 ? listener.number : -1
    var items: [pollfd] = [pollfd(fd: listening, events: Int16(POLLIN), revents: 0)]
    if let stop { items.append(pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0)) }
    if let item = port.pollItem {
      items.append(pollfd(fd: item.descriptor, events: Int16(item.events), revents: 0))
    }
    for peer in peers {
      items.append(
        pollfd(
          fd: peer.connection.socket.number, events: Int16(peer.connection.events), revents: 0))
      items.append(pollfd(fd: peer.process.number, events: Int16(POLLIN), revents: 0))
    }
    if migration != nil {
      items.append(pollfd(fd: kexec.noticed.descriptor, events: Int16(POLLIN), revents: 0))
    }
    if let reclaimer = migration?.reclaimer {
      items.append(pollfd(fd: reclaimer.changed.descriptor, events: Int16(POLLIN), revents: 0))
    }
    var timeout =
      migration != nil
      ? Guardian.tick
      : port.isConnected ? lastWord?.millisecondsUntilNext ?? -1 : port.retryMilliseconds
    if pause > 0 {
      let rest = Int32(pause / 1_000_000) + 1
      timeout = timeout < 0 ? rest : min(timeout, rest)
    }
    // As many elements as the array has, alive during the call.
    _ = unsafe poll(&items, nfds_t(items.count), timeout)
  }

  // MARK: Local peers

  private func acceptPeers() {
    while true {
      let socket = leafcutter_guest_accept(listener.number)
      guard socket >= 0 else { return rest(after: errno) }
      let descriptor = Descriptor(owning: socket)
      guard let peer = Peer(descriptor) else {
        rest(after: errno)
        continue
      }
      guard peers.count < Guardian.maximumPeers else {
        refuse(
          peer,
          "the guardian serves \(Guardian.maximumPeers) databases and commands at once already; "
            + "end some of them and try again")
        continue
      }
      peers.append(peer)
    }
  }

  /// Without a descriptor to spare the next one would fail as fast as it is tried.
  private func rest(after code: Int32) {
    guard [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(code) else { return }
    listensAgain = monotonicNanoseconds() + .seconds(1)
  }

  private func serve(_ peer: Peer) {
    peer.connection.flush()
    peer.connection.receive { frame in
      do throws(MessageError) {
        try receive(try LocalMessage(frame), of: frame.migration, from: peer)
      } catch {
        refuse(peer, "the message cannot be used: \(error)")
      }
    }
  }

  /// Answers with the reason and closes the connection of a peer that does not speak the protocol.
  func refuse(_ peer: Peer, _ reason: String) {
    complain(of: peer, .warning, reason)
    peer.connection.send(LocalMessage.Failed(step: "request", reason: reason), for: .none)
    peer.connection.close(Guardian.refused)
  }

  private static let refused = "refused"

  private func complain(of peer: Peer, _ level: Logger.Level, _ reason: String) {
    guard complaints.isDue(reason, of: peer.pid, at: monotonicNanoseconds()) else { return }
    logger.log(level: level, "process \(peer.pid) on the local socket: \(reason)")
  }

  private func removeGonePeers() {
    let gone = peers.filter(\.isGone)
    guard !gone.isEmpty else { return }
    peers.removeAll(where: \.isGone)
    for peer in gone {
      if let ended = peer.connection.ended, ended != LocalConnection.closedByPeer,
        ended != Guardian.refused
      {
        complain(of: peer, .notice, ended)
      }
      if let database = peer.database { lost(database) }
    }
  }

  var databases: [Database] { peers.compactMap(\.database) }
}
