import Synchronization

/// Whether the guest may run at the destination already, decided once: either the main channel passes
/// the point, and nothing is closed any more, or the operator's interrupt, the judge or another channel's
/// failure comes first, and the point is never passed. Two separate answers could leave both guests running.
final class PointOfNoReturn: Sendable {
  private static let open: UInt8 = 0
  /// Open, and nobody reads the stream: QEMU passes it unseen.
  private static let unseen: UInt8 = 1
  private static let passed: UInt8 = 2
  private static let interrupted: UInt8 = 3
  private static let refused: UInt8 = 4
  private static let refusedForOperator: UInt8 = 5
  private static let abandoned: UInt8 = 6

  private let state = Atomic(PointOfNoReturn.open)
  private let sourceTakesGuestBack = Atomic(false)

  /// Passes the point; false where anything else came before. To be called before the bytes are
  /// written that let the guest run.
  func pass() -> Bool { decide(PointOfNoReturn.passed) }

  /// Says that the stream is no longer read, so that the point cannot be refused from now on; false where anything
  /// else was decided before but that it is passed.
  func loseSight() -> Bool {
    claim(PointOfNoReturn.unseen, from: PointOfNoReturn.open) || isPassed
  }

  /// Claims that the point will not be passed; false where it has been, or something else was decided before. To be
  /// called before anything is closed.
  func interrupt() -> Bool { decide(PointOfNoReturn.interrupted) }

  /// Claims that the migration fails on this side of the point; false where it has been passed, and nothing may be
  /// closed, or where something else was decided before, and whoever did that closes.
  func abandon() -> Bool { decide(PointOfNoReturn.abandoned) }

  /// Says whether the source takes its guest back where the point is refused (``RefusedSwitchover``).
  func learn(sourceTakesGuestBack: Bool) {
    self.sourceTakesGuestBack.store(sourceTakesGuestBack, ordering: .sequentiallyConsistent)
  }

  /// Whether ``refuse(forOperator:)`` would succeed.
  var canBeRefused: Bool {
    sourceTakesGuestBack.load(ordering: .sequentiallyConsistent)
      && isOne(of: PointOfNoReturn.open)
  }

  /// Claims that the guest is not let pass to post-copy, and nothing may be closed before the source has it back;
  /// false where the source would not take it, or anything else came before.
  ///
  /// - Parameter forOperator: whether it is for the operator, who has stopped the proxy.
  func refuse(forOperator: Bool = false) -> Bool {
    guard sourceTakesGuestBack.load(ordering: .sequentiallyConsistent) else { return false }
    return claim(
      forOperator ? PointOfNoReturn.refusedForOperator : PointOfNoReturn.refused,
      from: PointOfNoReturn.open)
  }

  /// Undecided, and the stream is read.
  var isAhead: Bool { isOne(of: PointOfNoReturn.open) }
  /// Undecided, and QEMU may pass it unseen.
  var isUnseen: Bool { isOne(of: PointOfNoReturn.unseen) }
  var isPassed: Bool { isOne(of: PointOfNoReturn.passed) }
  var isAbandoned: Bool { isOne(of: PointOfNoReturn.abandoned) }
  var isRefused: Bool {
    isOne(of: PointOfNoReturn.refused, PointOfNoReturn.refusedForOperator)
  }
  /// The operator has stopped the proxy before the point.
  var isInterrupted: Bool {
    isOne(of: PointOfNoReturn.interrupted, PointOfNoReturn.refusedForOperator)
  }

  private func isOne(of states: UInt8...) -> Bool {
    states.contains(state.load(ordering: .sequentiallyConsistent))
  }

  /// Decides, whether the stream is read or not; true also where that was decided before.
  private func decide(_ wanted: UInt8) -> Bool {
    claim(wanted, from: PointOfNoReturn.open) || claim(wanted, from: PointOfNoReturn.unseen)
  }

  private func claim(_ wanted: UInt8, from expected: UInt8) -> Bool {
    let (exchanged, original) = state.compareExchange(
      expected: expected, desired: wanted, ordering: .sequentiallyConsistent)
    return exchanged || original == wanted
  }
}
