import Glibc

extension Engine {
  /// The engine's statistics by their descriptions, which have stayed the same where their numbers have
  /// not; nil for those that this engine does not have.
  ///
  /// - Throws: ``EngineError`` with EINVAL where the program has statistics switched off.
  func statistics(_ descriptions: [String]) throws(EngineError) -> [UInt64?] {
    let cursor = try openSession("").openCursor("statistics:", "")
    var values = [UInt64?](repeating: nil, count: descriptions.count)
    while values.contains(nil), try cursor.next() {
      let (description, value) = try cursor.statistic()
      if let index = descriptions.firstIndex(of: description) { values[index] = value }
    }
    return values
  }
}

/// Keeps the engine's statistics on: where the program has them switched off, until this is gone.
final class StatisticsInUse: Sendable {
  private let engine: Engine
  private let wereOff: Bool

  /// - Throws: ``EngineError`` where they are off and stay so.
  init(_ engine: Engine) throws(EngineError) {
    self.engine = engine
    do throws(EngineError) {
      _ = try engine.statistics([])
      wereOff = false
    } catch  where error.code == EINVAL {
      // A cursor on statistics is refused only where they are off, so that is what they go back to.
      do throws(EngineError) {
        try engine.reconfigure("statistics=(fast)")
      } catch {
        // The engine may have taken it before it refused the rest.
        try? engine.reconfigure("statistics=(none)")
        throw error
      }
      wereOff = true
    }
  }

  deinit {
    if wereOff { try? engine.reconfigure("statistics=(none)") }
  }
}
