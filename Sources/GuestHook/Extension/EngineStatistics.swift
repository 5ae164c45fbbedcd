import Glibc

extension Engine {
  /// The engine's statistics by their descriptions, which have stayed the same where their numbers have
  /// not; nil for those that this engine does not have.
  ///
  /// - Throws: ``EngineError`` with EINVAL where the program has statistics switched off.
  func statistics(_ descriptions: [String]) throws(EngineError) -> [UInt64?] {
    // They may be switched off.
    let cursor = try openSession("", expectingErrors: true).openCursor("statistics:", "")
    var values = [UInt64?](repeating: nil, count: descriptions.count)
    while values.contains(nil), try cursor.next() {
      let (description, value) = try cursor.statistic()
      if let index = descriptions.firstIndex(of: description) { values[index] = value }
    }
    return values
  }
}

/// Keeps the engine's statistics on: where the program has them switched off, until the last of these has
/// ended. They are counted, so that none switches them off for another. One ends where its owner says so, and not
/// with its last reference, which may be gone after the engine. Before the engine closes it need not end.
final class StatisticsInUse: Sendable {
  /// Of one engine.
  struct Users {
    fileprivate var count = 0
    fileprivate var wereOff = false
  }

  private let engine: Engine

  /// - Throws: ``EngineError`` where they are off and stay so.
  init(_ engine: Engine) throws(EngineError) {
    let failure = engine.statisticsUsers.withLock { users -> EngineError? in
      if users.count == 0 {
        do throws(EngineError) {
          users.wereOff = try StatisticsInUse.switchOn(engine)
        } catch { return error }
      }
      users.count += 1
      return nil
    }
    if let failure { throw failure }
    self.engine = engine
  }

  /// Once, by a thread that may use the engine.
  func end() {
    engine.statisticsUsers.withLock { users in
      users.count -= 1
      if users.count == 0, users.wereOff { try? engine.reconfigure("statistics=(none)") }
    }
  }

  /// - Returns: whether they were off.
  private static func switchOn(_ engine: Engine) throws(EngineError) -> Bool {
    do throws(EngineError) {
      _ = try engine.statistics([])
      return false
    } catch  where error.code == EINVAL {
      // A cursor on statistics is refused only where they are off, so that is what they go back to.
      do throws(EngineError) {
        try engine.reconfigure("statistics=(fast)")
      } catch {
        // The engine may have taken it before it refused the rest.
        try? engine.reconfigure("statistics=(none)")
        throw error
      }
      return true
    }
  }
}
