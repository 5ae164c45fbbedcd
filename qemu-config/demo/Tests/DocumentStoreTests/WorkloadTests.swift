import Glibc
import Synchronization
import Testing

@testable import DocumentStore

struct ZipfianTests {
  @Test func theApproximatedZetaEqualsTheSum() {
    let exact = (1...50_000).reduce(0.0) { $0 + pow(Double($1), -0.99) }
    #expect(abs(ZipfianKeys.zeta(50_000) / exact - 1) < 1e-9)
  }

  @Test func popularRanksAreDrawnInProportion() {
    let keys = ZipfianKeys(documents: 100_000)
    var random = SplitMix64(seed: 1)
    var counts = [Int64: Int]()
    let draws = 400_000
    for _ in 0..<draws { counts[keys.rank(random.nextUnit()), default: 0] += 1 }
    let zeta = ZipfianKeys.zeta(100_000)
    for rank in [0, 1] as [Int64] {
      let expected = Double(draws) / pow(Double(rank + 1), 0.99) / zeta
      #expect(abs(Double(counts[rank] ?? 0) / expected - 1) < 0.03)
    }
    #expect(counts.keys.max()! < 100_000)
  }

  @Test(arguments: [1, 2, 3, 10, 1000] as [Int64])
  func allRecordIDsLieInTheCollection(_ documents: Int64) {
    let keys = ZipfianKeys(documents: documents)
    var random = SplitMix64(seed: 3)
    for _ in 0..<5000 { #expect((1...documents).contains(keys.next(&random))) }
  }
}

struct UniformTests {
  @Test func allRecordsAreDrawnAlike() {
    let keys = RecordKeys(.uniform, documents: 10)
    var random = SplitMix64(seed: 1)
    var counts = [Int64: Int]()
    for _ in 0..<100_000 { counts[keys.next(&random), default: 0] += 1 }
    #expect(counts.keys.sorted() == Array(1...10))
    #expect(counts.values.allSatisfy { abs($0 - 10_000) < 500 })
  }
}

struct PacerTests {
  @Test func clientsTogetherKeepTheRate() {
    let due = (0..<4).flatMap { client in
      var pacer = Pacer(rate: 1000, client: client, of: 4, start: 1_000_000_000)
      return (0..<250).map { _ in pacer.next(now: 0) }
    }.sorted()
    #expect(due.first == 1_000_000_000)
    #expect(zip(due, due.dropFirst()).allSatisfy { $1 - $0 == 1_000_000 })
  }

  @Test func latenessIsCaughtUpOnlyWithinItsBound() {
    var pacer = Pacer(rate: 1000, client: 0, of: 1, start: 0)
    let late: UInt64 = 10_000_000_000
    #expect(pacer.next(now: late) == late - Pacer.catchUp)
    #expect(pacer.next(now: late) == late - Pacer.catchUp + 1_000_000)
  }
}

struct OperationsLogTests {
  @Test func operationsCountInTheSlotInWhichTheyEndAndEmptySlotsAreReported() {
    let slots = Reported()
    let log = OperationsLog(now: 1_050_000_000) { slots.add($0) }
    log.record(.read, due: 1_050_000_000, now: 1_060_000_000, failed: false)
    log.record(.write, due: 1_090_000_000, now: 1_110_000_000, failed: true)
    log.advance(to: 1_300_000_000)
    let all = slots.all
    #expect(all.map(\.from) == [1_000_000_000, 1_100_000_000, 1_200_000_000])
    #expect(all.map(\.reads) == [1, 0, 0])
    #expect(all.map(\.writes) == [0, 1, 0])
    #expect(all.map(\.errors) == [0, 1, 0])
    #expect((10_000...10_625).contains(all[0].p99))
    #expect(all[2].p99 == 0)
  }

  @Test(arguments: [0, 1, 15, 16, 17, 31, 32, 1000, 123_456, 86_400_000_000] as [UInt64])
  func latenciesAreAtMostASixteenthTooHigh(_ latency: UInt64) {
    var histogram = LatencyHistogram()
    histogram.record(microseconds: latency)
    let shown = histogram.microseconds(at: 0.99)
    // Above 2³² µs everything is in the last bucket.
    if latency < 1 << 32 {
      #expect(shown >= latency && Double(shown) <= Double(latency) * 1.0625)
    }
  }

  private final class Reported: Sendable {
    private let slots = Mutex<[OperationsLog.Slot]>([])
    var all: [OperationsLog.Slot] { slots.withLock { $0 } }
    func add(_ slot: OperationsLog.Slot) { slots.withLock { $0.append(slot) } }
  }
}

struct LineTests {
  @Test func linesAreFoundHoweverTheyArriveAndLongOnesAreSkipped() {
    var lines = LineReader()
    #expect(lines.add(Array("pi".utf8)).isEmpty)
    #expect(lines.add(Array("ng\r\n\nin".utf8)) == ["ping"])
    #expect(lines.add(Array("fo\nhalt\n".utf8)) == ["info", "halt"])
    #expect(lines.add([UInt8](repeating: 0x61, count: 10_000)).isEmpty)
    #expect(lines.add(Array("b\nping\n".utf8)) == ["ping"])
  }

  @Test func aFullQueueDropsTheOldestLines() {
    var queue = LineQueue(limit: 10)
    for number in 0..<5 { queue.append(Array("abc\(number)".utf8)) }
    #expect(queue.popFirst() == Array("abc3".utf8))
    #expect(queue.popFirst() == Array("abc4".utf8))
    #expect(queue.popFirst() == nil && queue.isEmpty)
  }

  @Test func beatsAreWrittenAsTextWithoutLosingDigits() {
    var line = BeatLine()
    line.set(0, UInt64.max)
    line.set(120, 1_000_000_005)
    #expect(String(decoding: line.bytes, as: UTF8.self) == "beat 120 1000000005\n")
  }

  @Test func commandsAreReadAndNonsenseIsRefusedByASentence() throws {
    #expect(try ControlCommand(line: "ping") == .ping)
    #expect(
      try ControlCommand(line: "run mix=B rate=2500 threads=2 seed=9")
        == .run(WorkloadOrder(mix: .b, rate: 2500, threads: 2, seed: 9)))
    #expect(
      try ControlCommand(line: "run keys=uniform mix=C rate=1 threads=1")
        == .run(WorkloadOrder(mix: .c, rate: 1, threads: 1, seed: 1, keys: .uniform)))
    #expect(try ControlCommand(line: "cache mib=32") == .cache(mebibytes: 32))
    for line in [
      "", "shout", "cache", "cache mib=0", "cache 32", "run mix=A rate=1 threads=1 keys=hot",
      "ping loud", "run",
      "run mix=D rate=1 threads=1", "run mix=A rate=nan threads=1",
      "run mix=A rate=1 threads=0", "run mix=A rate=1 threads=1 seed=-1", "run mix=A rate",
    ] {
      #expect(throws: ControlCommand.Refusal.self) { try ControlCommand(line: line) }
    }
  }
}
