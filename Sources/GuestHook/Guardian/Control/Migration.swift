import HookLink

/// Frames that the proxy has been asked to forget.
struct Revocation {
  var sequence: UInt64
  var since: UInt64
  /// After so many nanoseconds without an acknowledgement RELEASED is written.
  var patience = HoldLimits.revoke
  /// nil means all of them.
  var part: Part?

  /// Pinned pieces of one database, and how many reported pages they are at most.
  struct Part {
    var database: Database
    var pieces: [LocalMessage.AddressRange]
    var pages: UInt64
  }
}

/// One migration, from PREPARE until the databases have their caches back.
final class Migration {
  enum Phase: String {
    /// The databases evict and hold.
    case preparing
    /// Reported; the guest waits to be moved or to be told that it stays.
    case holding
    /// It is over, here or there: the frames are being let go.
    case releasing
    /// The caches are being read back.
    case resuming
  }

  let id: MigrationID
  let request: HostMessage.Prepare
  let mark: MarkPageWriter
  let began = monotonicNanoseconds()
  /// Free memory at the beginning, in bytes.
  let freeAtPrepare: UInt64?

  var phase = Phase.preparing
  var databases: [Database] = []
  var steps: [StepTime] = []
  var notes: [String] = []
  var reclaimer: Reclaimer?
  var pagesReported: UInt64 = 0
  /// Held pages that were filled with zeroes: nobody drops them, and they may be let go at any time.
  var pagesZeroed: UInt64 = 0
  /// The keeper has a duplicate of every ring that this process has taken, and of the mark page's. What it has not is
  /// not reported.
  var isKept = false
  /// Frames are held for the migration's sake.
  var holdsFrames = false
  /// This guest runs at the destination.
  var atDestination = false
  /// It ended because nobody spoke for it any more, and no verdict could have come.
  var endedUntold = false

  /// Of messages that want an acknowledgement.
  private(set) var sequence: UInt64 = 0
  /// The REVOKE that has not been acknowledged yet.
  var revoking: Revocation?
  /// Bytes that were held when the report was made.
  var bytesHeld: UInt64 = 0
  var lastAcknowledgement = monotonicNanoseconds()
  /// When the last heartbeat was sent: a proxy that reads it later counts from then.
  var lastHeartbeat: UInt64 = 0
  /// Heartbeats since the last acknowledgement. Silence is measured in them and not in time, because a guest
  /// whose clock goes on while it does not run would hear nothing for as long.
  var unansweredHeartbeats = 0
  var linkLostSince: UInt64?
  var phaseBegan = monotonicNanoseconds()

  init(id: MigrationID, request: HostMessage.Prepare, freeAtPrepare: UInt64?) throws(SystemError) {
    self.id = id
    self.request = request
    self.freeAtPrepare = freeAtPrepare
    mark = try MarkPageWriter(migration: id)
  }

  func nextSequence() -> UInt64 {
    sequence += 1
    return sequence
  }

  func enter(_ phase: Phase) {
    self.phase = phase
    phaseBegan = monotonicNanoseconds()
  }

  /// Where it has left this guest.
  var place: String {
    if atDestination { return "arrived here" }
    return endedUntold ? "ended, and nobody said where" : "stayed here"
  }

  static let noKeeper = """
    no frames are held: there is no keeper, which has to hold on if the guardian is killed (leafcutter-guest's log says \
    why); the next migration starts one
    """

  /// Adds a note for the operator, once.
  func note(_ sentence: String) {
    if !notes.contains(sentence) { notes.append(sentence) }
  }

  /// Adds a step that began at `start` and ends now.
  func noteStep(_ name: String, since start: UInt64) {
    steps.append(StepTime(step: name, nanoseconds: monotonicNanoseconds() - start))
  }
}
