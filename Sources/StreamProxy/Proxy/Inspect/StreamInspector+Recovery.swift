// A post-copy connection that broke ends anywhere, and what it had not delivered is sent again.

extension StreamInspector {
  /// Where a recovery ends as a migration ends, the channels that broke before it are no damage to the set.
  ///
  /// Nothing in the bytes tells which recovery was the last; it can only be one that ends well.
  static func forgiveBreaks(_ found: inout [StreamInspection]) {
    let recoveries = found.filter { $0.kind == "recovery" }
    guard recoveries.contains(where: { $0.problem == nil }) else { return }
    let broken = found.indices.filter { found[$0].problem?.isBreak == true }
    let preempt = broken.filter { found[$0].kind == "postcopy-preempt" }
    // Each connection that broke had one at most, so where more are cut, the last one's is among them.
    let isLastCut = preempt.count > recoveries.count
    for index in broken where !(isLastCut && preempt.contains(index)) {
      found[index].problem = nil
      found[index].channels[0].recovered = true
    }
  }
}

extension StreamInspection {
  /// That of its one channel.
  fileprivate var kind: String { channels[0].kind }
}
