import Testing

@testable import WiredTigerExtension

/// How fast leaves are read back beside the program's own reads.
@Suite struct RefaultPaceTests {
  /// A program whose reads take as long as the test says, seen every 5 ms.
  private struct Program {
    var pace: RefaultPace
    private var reads = RefaultPace.Reads()
    private var now: UInt64 = 1_000_000_000

    /// - Parameter quiet: microseconds that a read takes before the refault; nil for none.
    init(quiet: UInt64?) {
      if let quiet {
        reads = RefaultPace.Reads(begun: 100, ended: 100, nanoseconds: 100 * quiet * 1000)
      }
      pace = RefaultPace(before: .init(), after: reads, now: now)
    }

    /// So many looks, with reads between them.
    mutating func look(_ times: Int, reads count: UInt64, microseconds: UInt64) {
      for _ in 0..<times {
        reads.begun += count
        reads.ended += count
        reads.nanoseconds += count * microseconds * 1000
        now += 5_000_000
        pace.observe(reads, now: now)
      }
    }

    /// A read begins that does not end.
    mutating func hang() { reads.begun += 1 }
  }

  @Test func whereNobodyElseReadsItSoonGoesAsFastAsItCan() {
    var program = Program(quiet: nil)
    program.look(12, reads: 0, microseconds: 0)
    #expect(program.pace.rate > 1_000_000)
    #expect(program.pace.account == nil)
  }

  @Test func itSlowsDownWhereReadsTakeLongAndSpeedsUpWhenTheyNoLongerDo() {
    var program = Program(quiet: 100)
    program.look(20, reads: 10, microseconds: 120)
    let before = program.pace.rate
    #expect(before > RefaultPace.lowest * 4)
    program.look(1, reads: 10, microseconds: 900)
    #expect(program.pace.rate == before / 2)
    program.look(1, reads: 10, microseconds: 120)
    #expect(program.pace.rate > before / 2)
  }

  @Test func itNeverGoesBelowTheLowestRate() {
    var program = Program(quiet: 100)
    program.look(100, reads: 10, microseconds: 50_000)
    #expect(program.pace.rate >= RefaultPace.lowest)
    #expect(program.pace.rates.lowerBound == RefaultPace.lowest)
  }

  @Test func whereEvenTheLowestRateChangesNothingReadsAreTakenForWhatTheyAre() {
    var program = Program(quiet: 100)
    program.look(40, reads: 10, microseconds: 2000)
    #expect(program.pace.expected == 2_000_000)
    #expect(program.pace.rate > RefaultPace.lowest)
  }

  @Test func aReadThatDoesNotComeBackSlowsItDownToo() {
    var program = Program(quiet: 100)
    let before = program.pace.rate
    program.hang()
    program.look(9, reads: 0, microseconds: 0)
    #expect(program.pace.rate == before, "it may yet come back in time")
    program.look(1, reads: 0, microseconds: 0)
    #expect(program.pace.rate == before / 2)
  }

  @Test func aReadThatIsALittleSlowerDoesNotCount() {
    var program = Program(quiet: 5)
    let before = program.pace.rate
    program.look(10, reads: 10, microseconds: 90)
    #expect(program.pace.rate > before)
  }

  @Test func fewReadsAreNotJudgedOneByOne() {
    var program = Program(quiet: 100)
    let before = program.pace.rate
    program.look(7, reads: 1, microseconds: 5000)
    #expect(program.pace.rate == before)
    program.look(1, reads: 1, microseconds: 5000)
    #expect(program.pace.rate == before / 2)
  }
}
