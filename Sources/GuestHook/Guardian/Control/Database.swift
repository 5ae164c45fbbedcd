import CGuestSystem
import Glibc
import HookLink

/// A process on the local socket: a database once it has registered, a client until then.
final class Peer {
  let connection: LocalConnection
  /// Learned from the kernel, never from a message.
  let pid: pid_t
  /// Becomes readable when the process ends.
  let process: Descriptor
  var database: Database?

  init?(_ socket: Descriptor) {
    let pid = leafcutter_guest_peer_pid(socket.number)
    let process = leafcutter_guest_peer_pidfd(socket.number)
    guard process >= 0 else { return nil }
    self.process = Descriptor(owning: process)
    // 0 for one outside the guardian's own namespace of processes.
    guard pid > 0 else { return nil }
    self.pid = pid
    connection = LocalConnection(socket)
  }

  var isGone: Bool { connection.ended != nil || process.isReady() }
}

/// A registered database and where it stands in the migration.
final class Database {
  enum Stage {
    case idle
    /// Evicting and holding.
    case preparing
    case prepared
    /// Still evicting when the report was made: nothing of it is reported.
    case late
    /// Unpinning and unmapping.
    case releasing
    case released
    /// Reading its manifest back.
    case resuming
    case gone
  }

  let connection: LocalConnection
  let pid: pid_t
  let process: Descriptor
  var registration: LocalMessage.Register
  var stage = Stage.idle
  /// This process's duplicate of the ring that pins the frames.
  private(set) var ring: Descriptor?
  /// Where those are, as long as it has the ring.
  private(set) var memory: HeldMemoryFile?
  var pieces: [LocalMessage.AddressRange] = []
  /// Its ring could not be taken, here or by the keeper: nothing of it is reported.
  var isRefused = false
  var prepared: LocalMessage.Prepared?
  var resumed: LocalMessage.DatabaseResumed?

  init(_ peer: Peer, _ registration: LocalMessage.Register) {
    connection = peer.connection
    pid = peer.pid
    process = peer.process
    self.registration = registration
  }

  /// Its directory, as it calls it itself.
  var home: String { registration.home }

  /// Its directory, as this process finds it.
  var visibleHome: String { Database.path(of: home, in: pid) }

  /// A path of another process's, which may have another root or other mounts (a container), for this one:
  /// through /proc/PID/root (proc(5)) where the same path is something else here.
  static func path(of home: String, in pid: pid_t) -> String {
    let through = "/proc/\(pid)/root" + home
    var (here, there) = (stat(), stat())
    // The paths and the structures are alive during the calls.
    guard unsafe stat(through, &there) == 0 else { return home }
    let isSame =
      unsafe stat(home, &here) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino
    return isSame ? home : through
  }

  /// Takes a duplicate of the ring, so that what it pins outlives the database.
  ///
  /// - Throws: ``SystemError``, also where it is none.
  func take(_ held: LocalMessage.HeldMemory) throws(SystemError) -> Descriptor {
    // First: an execve(2) closes the ring, so who still has it is the program whose memory this is.
    let memory = try HeldMemoryFile(of: pid, process)
    let ring = leafcutter_guest_take_descriptor(process.number, held.ring)
    guard ring >= 0 else { throw SystemError("duplicate the ring of database \(home)") }
    let descriptor = Descriptor(owning: ring)
    // The number is the database's word.
    guard leafcutter_guest_is_ring(ring) else {
      throw SystemError("take what is no ring of database \(home)", code: EINVAL)
    }
    self.ring = descriptor
    self.memory = memory
    pieces = held.pieces
    return descriptor
  }

  /// This process holds nothing of it any longer.
  func forgetHold() {
    ring = nil
    memory = nil
    pieces = []
  }

  /// Forgets what belongs to one migration.
  func reset() {
    if stage != .gone { stage = .idle }
    forgetHold()
    isRefused = false
    prepared = nil
    resumed = nil
  }
}
