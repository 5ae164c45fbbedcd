import Threads

extension WakeUp {
  /// Not raised.
  ///
  /// - Throws: ``SystemError`` where descriptors have run out.
  static func make() throws(SystemError) -> WakeUp {
    guard let wakeUp = makeIfPossible() else { throw SystemError("make an eventfd") }
    return wakeUp
  }
}
