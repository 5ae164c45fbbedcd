import HookLink

/// The judgement at the point of no return: whether it is proven that no page that was dropped could
/// have been written to by anyone, up to the moment when the guest stopped.
///
/// The design's three parts: the hook link read to its end (a REVOKE in there is obeyed), the QMP
/// events read up to the STOP of this switchover with no RESET before it, and the last copy of the
/// mark page that passed: holding, of this migration, and recent.
enum ProofFailure: Error, Equatable {
  case guestNotStopped(waited: Duration)
  case witnessLost(String)
  case guestReset
  case offence(String)
  case markNeverPassed
  case markLost
  case markForeign
  case markReleased
  case markWithdrawn
  case markUnreadable
  case markStale(lag: Duration, bound: Duration)
  case hookPortClosed
  case noHeartbeat
  case heartbeatStale(age: Duration, bound: Duration)
}

extension ProofFailure: CustomStringConvertible {
  var description: String {
    switch self {
    case .guestNotStopped(let waited):
      "QMP reported no STOP of the guest within \(waited) of the switchover"
    case .witnessLost(let reason):
      "the QMP connection ended before the guest's STOP was seen (\(reason))"
    case .guestReset:
      "the guest was reset during the migration, so its frames belong to somebody else"
    case .offence(let reason): "the guest broke its word: \(reason)"
    case .markNeverPassed:
      """
      no copy of the guest's mark page has passed where QMP's memory map says it is, so the map or \
      the guest is wrong
      """
    case .markLost: "the last page that passed at the mark's address is not the mark page any more"
    case .markForeign: "the last copy of the mark page carries another migration's nonce"
    case .markReleased: "the guest has released frames without an acknowledgement"
    case .markWithdrawn:
      """
      another kernel was loaded or started in the guest (kexec), which may use memory that was held, and the \
      proxy had not heard of it before the guest stopped
      """
    case .markUnreadable:
      "the last copy of the mark page says neither HOLDING nor WITHDRAWN nor RELEASED"
    case .markStale(let lag, let bound):
      """
      the mark page was last written \(lag.formattedSeconds) before the guest stopped, more than the \
      bound of \(bound.formattedSeconds): whoever held the frames is gone
      """
    case .hookPortClosed:
      """
      the guest's end of the hook port is closed: leafcutter-guest has ended, or the guest's kernel has (or of \
      another port, where QEMU was given the hook port's socket by another path than --hook)
      """
    case .noHeartbeat:
      "no heartbeat of the guest was acknowledged, so nothing says that it will hold its frames"
    case .heartbeatStale(let age, let bound):
      """
      the last acknowledged heartbeat came \(age.formattedSeconds) before the guest stopped, more than \
      \(bound.formattedSeconds): it may release its frames at the destination before they are dropped
      """
    }
  }
}

extension MarkHistory {
  /// Part three of the proof in post-copy, where the last copy of the mark page travels only after the
  /// guest runs: the copies so far, and the guest's lease.
  func judgeCopySoFar(of migration: MigrationID, copiesSeen: Int) throws(ProofFailure) {
    try judgeLastCopy(
      of: migration, running: 0, bound: .seconds(Int64.max / 2), copiesSeen: copiesSeen)
  }

  /// Part three of the proof.
  ///
  /// - Parameter running: how long the guest had run when it stopped, in nanoseconds.
  func judgeLastCopy(
    of migration: MigrationID, running: UInt64, bound: Duration, copiesSeen: Int
  ) throws(ProofFailure) {
    guard copiesSeen > 0 else { throw .markNeverPassed }
    guard let last else { throw .markLost }
    guard last.nonce == migration else { throw .markForeign }
    switch last.state {
    case .holding: break
    case .withdrawn: throw .markWithdrawn
    case .released: throw .markReleased
    case nil: throw .markUnreadable
    }
    if let lag = lag(whenStoppedAt: running), lag > bound {
      throw .markStale(lag: lag, bound: bound)
    }
  }
}
