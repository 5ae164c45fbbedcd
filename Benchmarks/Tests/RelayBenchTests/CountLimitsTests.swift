import FoundationEssentials
import Testing

@testable import RelayBench

@Suite struct CountLimitsTests {
  private let limit = CountLimits.Limit(
    mode: "single", channels: 1, socket: "tcp", dead: 0.9, callsPerGB: 100,
    allocationsPerPage: 0.01, copiedBytesPerPage: 8300, movedBytesPerPage: 64)

  private func turn(calls: Int = 90, allocations: Int = 5, copied: Int = 8000, moved: Int = 50)
    -> Turn.Result
  {
    var turn = Turn.Result(input: 1_000_000_000, seconds: 1, dropped: 0, pages: 1000)
    turn.counts.calls.io_calls = UInt64(calls)
    turn.counts.calls.allocations = UInt64(allocations)
    turn.counts.calls.io_bytes = UInt64(copied * 1000)
    turn.counts.calls.moved_bytes = UInt64(moved * 1000)
    return turn
  }

  @Test func whatKeepsToTheLimitsPasses() {
    #expect(limit.passed(by: CountLimits.Counted(turn())).isEmpty)
  }

  @Test func deadPagesLieInRunsUnlessALimitSaysOtherwise() throws {
    #expect(try limit.bench.dead == DeadPattern(percent: 90, arrangement: .runs))
    var other = limit
    other.pattern = "scattered"
    #expect(try other.bench.dead == DeadPattern(percent: 90, arrangement: .scattered))
    other.pattern = "heaps"
    #expect(throws: BenchError.self) { try other.bench }
  }

  @Test func eachLimitIsGuarded() {
    let worse = [
      (turn(calls: 101), "calls"), (turn(allocations: 11), "allocations"),
      (turn(copied: 8301), "between kernel"), (turn(moved: 65), "inside"),
    ]
    for (turn, word) in worse {
      let passed = limit.passed(by: CountLimits.Counted(turn))
      #expect(passed.count == 1 && passed.first?.contains(word) == true)
    }
  }

  @Test func aBusyMachineIsNotTakenForAWorseProgram() {
    let turns = [turn(calls: 300), turn(allocations: 300), turn()]
    #expect(limit.passed(by: CountLimits.Counted(leastOf: turns)).isEmpty)
  }

  @Test func theLimitsInForceCanBeReadAndMeasured() throws {
    let path = #filePath.replacing(
      "Tests/RelayBenchTests/CountLimitsTests.swift", with: "count-limits.json")
    let limits = try CountLimits.read(from: path).limits
    #expect(!limits.isEmpty)
    for limit in limits { _ = try limit.bench }
  }
}
