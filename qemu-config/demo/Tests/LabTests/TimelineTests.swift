import Testing

@testable import Lab

@Suite("What clients would have seen of a migration")
struct TimelineTests {
  private static let second: UInt64 = 1_000_000_000

  /// Ordered at 100 s, stopped at 105 s, running again at 105.25 s; ten slots a second, with 100 operations a
  /// second before and those of `after` in each second after it.
  private func timeline(after: [Int]) -> Timeline {
    let firstBeat = 105 * Self.second + Self.second / 4
    func slots(from start: UInt64, seconds: Int, operations: Int) -> [(UInt64, StoreConsole.Slot)] {
      (0..<seconds * 10).map { index in
        (
          start + UInt64(index) * StoreConsole.Slot.length,
          StoreConsole.Slot(
            guestTime: 0, reads: operations / 10, writes: 0, errors: 0, p99: operations)
        )
      }
    }
    var all = slots(from: 90 * Self.second, seconds: 15, operations: 100)
    for (index, operations) in after.enumerated() {
      all += slots(
        from: firstBeat + UInt64(index) * Self.second, seconds: 1, operations: operations)
    }
    return Timeline(
      startedAt: 100 * Self.second, lastBeat: 105 * Self.second, firstBeat: firstBeat,
      slots: all.map { (time: $0.0, slot: $0.1) })
  }

  @Test("90 % are back where they last for the whole window, not where a second has them")
  func window() throws {
    let timeline = timeline(after: [10, 90, 10, 90, 90, 90])
    let first = try #require(timeline.secondsTo90)
    #expect(first == 1)
    let lasting = try #require(timeline.seconds(toRate: 90, window: 3))
    #expect(lasting == 3)
  }

  @Test("what comes back after the time in which all are looked at has not come back")
  func limit() {
    let timeline = timeline(after: [10, 10, 10, 10, 90, 90])
    #expect(timeline.seconds(toRate: 90, window: 1) == 4)
    #expect(timeline.seconds(toRate: 90, window: 1, within: 5) == 4)
    #expect(timeline.seconds(toRate: 90, window: 1, within: 4.5) == nil)
    #expect(timeline.seconds(toRate: 91, window: 1) == nil)
  }

  @Test(
    "a stretch begins with the first heartbeat there, and none has both sides in it")
  func stretches() throws {
    let stretches = timeline(after: [10, 20]).stretches(of: 1, before: 4, after: 2)
    // 9.25 s before the heartbeat it begins; the downtime is in the last second before it.
    #expect(stretches.map(\.start) == [-9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1])
    #expect(stretches.suffix(2).map(\.operationsPerSecond) == [10, 20])
    #expect(stretches[0].operationsPerSecond == 100)
    #expect(try #require(stretches.dropLast(2).last).operationsPerSecond < 100)
  }
}
