import HookLink
import Threads

/// The end of the guardian itself: what is held is asked back first, or RELEASED is written. Nobody says that for
/// it where all processes of a system are ended at once.
extension Guardian {
  /// How long databases may take to let go, in nanoseconds. They go on by themselves where there is no guardian.
  private static let patience = UInt64.seconds(2)
  static let toldToEnd = "leafcutter-guest has been told to end"

  /// Serves until `stop` is raised, then ends what is under way.
  public func run(until stop: WakeUp) {
    logger.info("guardian ready: port \(options.port), databases at \(options.socket)")
    while !stop.isRaised { turn(or: stop) }
    logger.notice("told to end")
    isEnding = true
    queued = nil
    while !mayEnd() { turn() }
  }

  /// Does what is next; true where nothing is held any more and everybody knows.
  private func mayEnd() -> Bool {
    guard let migration else { return true }
    switch migration.phase {
    case .preparing:
      port.send(GuestMessage.Declined(reason: Guardian.toldToEnd), for: migration.id)
      end(migration, atDestination: migration.mark.saysDestination)
    case .holding where migration.holdsFrames:
      // Until the proxy has answered, or nobody has and RELEASED is written.
      giveFramesBack(migration, because: Guardian.toldToEnd)
    case .holding:
      end(migration, atDestination: migration.mark.saysDestination)
    case .releasing:
      return monotonicNanoseconds() - migration.phaseBegan > Guardian.patience
    case .resuming:
      return true
    }
    return false
  }
}
