import Synchronization

/// Whether the guest may run at the destination already, decided once: either the main channel passes
/// the point, and nothing is closed any more, or the operator's interrupt, the judge or another channel's
/// failure comes first, and the point is never passed. Two separate answers could leave both guests running.
final class PointOfNoReturn: Sendable {
  private static let open: UInt8 = 0
  private static let passed: UInt8 = 1
  private static let interrupted: UInt8 = 2
  private static let refused: UInt8 = 3
  private static let abandoned: UInt8 = 4

  private let state = Atomic(PointOfNoReturn.open)

  /// Passes the point; false where anything else came before. To be called before the bytes are
  /// written that let the guest run.
  func pass() -> Bool { decide(PointOfNoReturn.passed) }

  /// Claims that the point will not be passed; false where it has been, or something else was decided before. To be
  /// called before anything is closed.
  func interrupt() -> Bool { decide(PointOfNoReturn.interrupted) }

  /// Claims that the judge does not let the guest pass, and nothing may be closed before the source has
  /// it back; false where an interrupt came before.
  func refuse() -> Bool { decide(PointOfNoReturn.refused) }

  /// Claims that the migration fails on this side of the point; false where it has been passed, and nothing may be
  /// closed, or where something else was decided before, and whoever did that closes.
  func abandon() -> Bool { decide(PointOfNoReturn.abandoned) }

  var isAbandoned: Bool {
    state.load(ordering: .sequentiallyConsistent) == PointOfNoReturn.abandoned
  }
  var isRefused: Bool { state.load(ordering: .sequentiallyConsistent) == PointOfNoReturn.refused }
  var isPassed: Bool { state.load(ordering: .sequentiallyConsistent) == PointOfNoReturn.passed }
  var isInterrupted: Bool {
    state.load(ordering: .sequentiallyConsistent) == PointOfNoReturn.interrupted
  }

  private func decide(_ wanted: UInt8) -> Bool {
    let (exchanged, original) = state.compareExchange(
      expected: PointOfNoReturn.open, desired: wanted, ordering: .sequentiallyConsistent)
    return exchanged || original == wanted
  }
}
