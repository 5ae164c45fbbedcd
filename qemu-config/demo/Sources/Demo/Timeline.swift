import Lab

/// What clients would have seen of one migration, from the heartbeats and the operations that the store
/// counted on both hosts, all by the host's clock.
struct Timeline {
  /// When `migrate` was given.
  let startedAt: UInt64
  /// The last heartbeat from the source, and the first from the destination.
  let lastBeat: UInt64
  let firstBeat: UInt64
  private let slots: [(time: UInt64, slot: StoreConsole.Slot)]
  private let beatsBefore: [UInt64]

  static let secondsBefore: Double = 10
  static let secondsAfter: Double = 15

  /// - Parameter firstBeat: when the destination's first heartbeat arrived.
  init?(
    startedAt: UInt64, firstBeat: UInt64, source: StoreConsole, destination: StoreConsole
  ) {
    guard let last = source.beats.last(where: { $0.hostTime <= firstBeat }),
      let sourceOffset = source.clockOffset(), let destinationOffset = destination.clockOffset()
    else { return nil }
    self.startedAt = startedAt
    self.firstBeat = firstBeat
    lastBeat = last.hostTime
    slots =
      [(source.slots, sourceOffset), (destination.slots, destinationOffset)].flatMap { part in
        part.0.map { (time: $0.guestTime &+ UInt64(bitPattern: part.1), slot: $0) }
      }
    let begin = startedAt - UInt64(Timeline.secondsBefore * 1e9)
    beatsBefore = source.beats.map(\.hostTime).filter { $0 >= begin && $0 <= startedAt }
  }

  var downtimeMilliseconds: Double { HostClock.seconds(from: lastBeat, to: firstBeat) * 1e3 }

  /// The longest time between two heartbeats in the seconds before the migration, in milliseconds.
  var longestGapBefore: Double? {
    zip(beatsBefore, beatsBefore.dropFirst()).map { Double($1 - $0) / 1e6 }.max()
  }

  var operationsBefore: Double? {
    rate(from: startedAt - UInt64(Timeline.secondsBefore * 1e9), to: startedAt)
  }
  var operationsDuring: Double? { rate(from: startedAt, to: lastBeat) }
  var operationsAfter: Double? {
    rate(from: firstBeat, to: firstBeat + UInt64(Timeline.secondsAfter * 1e9))
  }
  var errors: Int { slots.reduce(0) { $0 + $1.slot.errors } }

  /// From the switchover to the beginning of the first second with 90 % of the operations before.
  var secondsTo90: Double? {
    guard let before = operationsBefore, let end = slots.map(\.time).max() else { return nil }
    let second: UInt64 = 1_000_000_000
    var start = firstBeat
    while start + second <= end {
      if let now = rate(from: start, to: start + second), now >= 0.9 * before {
        return HostClock.seconds(from: lastBeat, to: start)
      }
      start += StoreConsole.Slot.length
    }
    return nil
  }

  /// Operations per second in the slots that began within the time; nil where there are none.
  private func rate(from start: UInt64, to end: UInt64) -> Double? {
    let within = slots.filter { $0.time >= start && $0.time < end }
    guard !within.isEmpty else { return nil }
    let operations = within.reduce(0) { $0 + $1.slot.operations }
    return Double(operations) / HostClock.seconds(from: start, to: end)
  }
}
