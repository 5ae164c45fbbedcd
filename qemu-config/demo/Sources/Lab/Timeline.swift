/// What clients would have seen of one migration, from the heartbeats and the operations that the store
/// counted on both hosts, all by the host's clock.
public struct Timeline: Sendable {
  /// When the operator gave the first command of the migration.
  public let startedAt: UInt64
  /// The last heartbeat from the source, and the first from the destination.
  public let lastBeat: UInt64
  public let firstBeat: UInt64
  private let slots: [(time: UInt64, slot: StoreConsole.Slot)]
  private let beatsBefore: [UInt64]
  private let secondsBefore: Double
  private let secondsAfter: Double

  /// How long before `migrate` and after the switchover operations are counted at most.
  public static let secondsBefore: Double = 10
  public static let secondsAfter: Double = 15

  /// - Parameters:
  ///   - firstBeat: when the destination's first heartbeat arrived.
  ///   - secondsBefore: how long the workload had run before `migrate`, at most.
  ///   - secondsAfter: for how long it was watched after the switchover, at most.
  public init?(
    startedAt: UInt64, firstBeat: UInt64, source: StoreConsole, destination: StoreConsole,
    secondsBefore: Double = Timeline.secondsBefore, secondsAfter: Double = Timeline.secondsAfter
  ) {
    guard let last = source.beats.last(where: { $0.hostTime <= firstBeat }),
      let sourceOffset = source.clockOffset(), let destinationOffset = destination.clockOffset()
    else { return nil }
    let slots = [(source.slots, sourceOffset), (destination.slots, destinationOffset)].flatMap {
      part in
      part.0.map { (time: $0.guestTime &+ UInt64(bitPattern: part.1), slot: $0) }
    }
    let begin = startedAt - UInt64(secondsBefore * 1e9)
    self.init(
      startedAt: startedAt, lastBeat: last.hostTime, firstBeat: firstBeat, slots: slots,
      beatsBefore: source.beats.map(\.hostTime).filter { $0 >= begin && $0 <= startedAt },
      secondsBefore: secondsBefore, secondsAfter: secondsAfter)
  }

  init(
    startedAt: UInt64, lastBeat: UInt64, firstBeat: UInt64,
    slots: [(time: UInt64, slot: StoreConsole.Slot)], beatsBefore: [UInt64] = [],
    secondsBefore: Double = Timeline.secondsBefore, secondsAfter: Double = Timeline.secondsAfter
  ) {
    self.startedAt = startedAt
    self.lastBeat = lastBeat
    self.firstBeat = firstBeat
    self.slots = slots
    self.beatsBefore = beatsBefore
    self.secondsBefore = secondsBefore
    self.secondsAfter = secondsAfter
  }

  /// From the last heartbeat at the source to the first at the destination.
  public var downtimeMilliseconds: Double { HostClock.seconds(from: lastBeat, to: firstBeat) * 1e3 }

  /// The longest time between two heartbeats in the seconds before the migration, in milliseconds.
  public var longestGapBefore: Double? {
    zip(beatsBefore, beatsBefore.dropFirst()).map { Double($1 - $0) / 1e6 }.max()
  }

  /// Operations per second in the time before the first command.
  public var operationsBefore: Double? {
    rate(from: startedAt - UInt64(secondsBefore * 1e9), to: startedAt)
  }
  /// From there to the switchover.
  public var operationsDuring: Double? { rate(from: startedAt, to: lastBeat) }
  /// In the time after the switchover.
  public var operationsAfter: Double? {
    rate(from: firstBeat, to: firstBeat + UInt64(secondsAfter * 1e9))
  }
  /// Operations that failed, before, during and after.
  public var errors: Int { slots.reduce(0) { $0 + $1.slot.errors } }

  /// From the switchover to the beginning of the first second with 90 % of the operations before.
  public var secondsTo90: Double? {
    operationsBefore.flatMap { seconds(toRate: 0.9 * $0, window: 1) }
  }

  /// Seconds from the first heartbeat at the destination to the beginning of the first time with so many
  /// operations; nil where there is none.
  ///
  /// - Parameters:
  ///   - wanted: operations per second.
  ///   - window: the time in which there have to be so many on average, in seconds.
  ///   - limit: it has to be over so many seconds after the heartbeat.
  public func seconds(
    toRate wanted: Double, window: Double, within limit: Double = .infinity
  ) -> Double? {
    guard let last = slots.map(\.time).max() else { return nil }
    let length = UInt64(window * 1e9)
    let watched = last + StoreConsole.Slot.length
    let end = limit.isFinite ? min(watched, firstBeat + UInt64(limit * 1e9)) : watched
    var start = firstBeat
    while start + length <= end {
      if let now = rate(from: start, to: start + length), now >= wanted {
        return HostClock.seconds(from: firstBeat, to: start)
      }
      start += StoreConsole.Slot.length
    }
    return nil
  }

  /// A stretch of time as clients saw it.
  public struct Stretch: Sendable {
    /// Where it begins, in seconds from the switchover.
    public var start: Double
    public var operationsPerSecond: Double
    /// The highest 99th percentile among its slots, in milliseconds.
    public var p99: Double
  }

  /// Stretches of a whole number of slots, from at most `before` seconds before the first command to
  /// `after` seconds after the switchover. One of them begins with the first heartbeat there, so that none
  /// has both sides in it.
  public func stretches(of length: Double, before: Double, after: Double) -> [Stretch] {
    var result: [Stretch] = []
    let step = UInt64(length * 1e9)
    let earlier = UInt64((HostClock.seconds(from: startedAt, to: firstBeat) + before) / length)
    var start = firstBeat - earlier * step
    let end = firstBeat + UInt64(after * 1e9)
    while start + step <= end {
      let within = slots.filter { $0.time >= start && $0.time < start + step }
      let operations = within.reduce(0) { $0 + $1.slot.operations }
      result.append(
        Stretch(
          start: HostClock.seconds(from: firstBeat, to: start),
          operationsPerSecond: Double(operations) / length,
          p99: Double(within.map(\.slot.p99).max() ?? 0) / 1e3))
      start += step
    }
    return result
  }

  /// Operations per second in the slots that began within the time; nil where there are none.
  private func rate(from start: UInt64, to end: UInt64) -> Double? {
    let within = slots.filter { $0.time >= start && $0.time < end }
    guard !within.isEmpty else { return nil }
    let operations = within.reduce(0) { $0 + $1.slot.operations }
    return Double(operations) / HostClock.seconds(from: start, to: end)
  }
}
