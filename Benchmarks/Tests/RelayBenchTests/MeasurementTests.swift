import Testing

@testable import RelayBench

@Suite struct MeasurementTests {
  private let bench = BenchCase(
    relay: .leafcutter, mode: .multifd, channels: 2, socket: .unix,
    dead: DeadPattern(percent: 90, arrangement: .scattered))

  @Test func aMedianIsTheMiddleOne() {
    #expect(Spread([3, 1, 2]).median == 2)
    #expect(Spread([4, 1, 2, 3]).median == 2.5)
    #expect(Spread([3, 1, 2]).least == 1 && Spread([3, 1, 2]).most == 3)
  }

  @Test func costsAreOfTheInputAndWithoutTheStart() {
    var turn = Turn.Result(input: 2_000_000_000, seconds: 4, dropped: 0, pages: 1)
    turn.time = .init(user: 0.5, system: 1.25)
    turn.counts.systemCalls = 3000
    let sample = Measurement.Sample(
      turn, idle: .init(user: 0.1, system: 0.25), reference: 1_000_000_000)
    #expect(sample.ratio == 0.5)
    #expect(sample.userPerGB == 0.2 && sample.systemPerGB == 0.5)
    #expect(sample.systemCallsPerGB == 1500 && sample.systemCallsCountedBy == .kernel)
  }

  @Test func theLibrarysCountIsNotTakenForTheKernels() {
    var turn = Turn.Result(input: 1_000_000_000, seconds: 1, dropped: 0, pages: 1)
    turn.counts.calls.io_calls = 700
    let sample = Measurement.Sample(turn, idle: .init(), reference: 1)
    #expect(sample.systemCallsPerGB == 700 && sample.systemCallsCountedBy == .library)
  }

  @Test func deadPagesAreAsManyAsTheyShouldBe() {
    for pattern in DeadPattern.measured {
      let count = (0..<100_000).count { pattern.isDead($0) }
      #expect(abs(count - pattern.percent * 1000) < 1500)
    }
    let runs = DeadPattern(percent: 50, arrangement: .runs)
    #expect((0..<8000).allSatisfy { runs.isDead($0) == runs.isDead($0 / 8 * 8) })
  }

  @Test func numbersAreRounded() {
    #expect(BenchTable.fixed(1.005, 1) == "1.0" && BenchTable.fixed(0.0496, 3) == "0.050")
    #expect(BenchTable.fixed(1234.6, 0) == "1235" && BenchTable.fixed(12.3, 2) == "12.30")
  }
}
