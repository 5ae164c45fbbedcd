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
