import FoundationEssentials
import Testing

@testable import RelayBench

/// What others read out of the file that `--json` writes.
@Suite struct BenchReportTests {
  /// Only as much as the tests ask for.
  private struct Row: Decodable {
    struct Figures: Decodable {
      var ratio: Double
      var throughputBytesPerS: Double
      var cpuUserSPerGb: Double?
    }
    var ratio: Double
    var cpuUserSPerGb: Double?
    var syscallsCountedBy: String?
    var samples: [Figures]
    var lowest: Figures
    var highest: Figures
  }

  private static let keys = [
    "relay", "mode", "channels", "socket", "dead", "pattern", "ratio", "throughput_bytes_per_s",
    "cpu_user_s_per_gb", "cpu_system_s_per_gb", "rss_bytes", "pss_bytes", "processes",
    "syscalls_per_gb", "syscalls_counted_by", "samples", "lowest", "highest",
  ]

  private func measurement(
    _ relay: BenchCase.Relay, seconds: [Double] = [4, 1, 2]
  ) -> Measurement {
    var measurement = Measurement(
      bench: BenchCase(relay: relay, mode: .multifd, channels: 2, socket: .unix))
    measurement.samples = seconds.map { seconds in
      var turn = Turn.Result(input: 1_000_000_000, seconds: seconds, dropped: 0, pages: 1)
      turn.time.user = seconds / 8
      return Measurement.Sample(turn, idle: .init(), reference: 1_000_000_000)
    }
    return measurement
  }

  private func text(_ value: some Encodable) throws -> String {
    String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
  }

  private func read(_ row: BenchRow) throws -> Row {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Row.self, from: JSONEncoder().encode(row))
  }

  @Test func rowsHaveEveryKeyWithAndWithoutARelay() throws {
    for relay in [BenchCase.Relay.leafcutter, .none] {
      let text = try text(BenchRow(measurement(relay)))
      for key in BenchReportTests.keys { #expect(text.contains("\"\(key)\":"), "\(relay)") }
      #expect(text.contains(":null") == (relay == .none))
    }
  }

  @Test func everyTurnIsKeptBesideTheMedian() throws {
    let row = try read(BenchRow(measurement(.socat)))
    #expect(row.samples.map(\.ratio) == [0.25, 1, 0.5] && row.ratio == 0.5)
    #expect(row.samples.map(\.throughputBytesPerS) == [0.25e9, 1e9, 0.5e9])
    #expect(row.samples.map(\.cpuUserSPerGb) == [0.5, 0.125, 0.25])
    #expect(row.lowest.ratio == 0.25 && row.highest.ratio == 1)
    #expect(row.lowest.cpuUserSPerGb == 0.125 && row.highest.cpuUserSPerGb == 0.5)
  }

  @Test func whereNobodyRelaysNothingIsCounted() throws {
    let row = try read(BenchRow(measurement(.none)))
    #expect(row.cpuUserSPerGb == nil && row.samples[0].cpuUserSPerGb == nil)
    #expect(row.syscallsCountedBy == nil)
  }

  @Test func aRowNamesWhoCountedItsCalls() throws {
    #expect(try read(BenchRow(measurement(.leafcutter))).syscallsCountedBy == "library")
    var counted = measurement(.leafcutter)
    for index in counted.samples.indices { counted.samples[index].systemCallsCountedBy = .kernel }
    #expect(try read(BenchRow(counted)).syscallsCountedBy == "kernel")
  }

  @Test func theConditionsStandBesideTheRows() throws {
    let options = try BenchOptions.parse(["--proxy", "p", "--call-counter", "c"])
    let conditions = try BenchConditions(
      options, relays: [.none, .splice], .init(proxy: "p", callCounter: "c", bench: "b"))
    #expect(!conditions.kernel.isEmpty && conditions.processors > 0)
    let text = try text(BenchReport(conditions: conditions, rows: []))
    for key in [
      "conditions", "rows", "megabytes_per_turn", "repeats", "kernel", "processor", "processors",
      "relay_versions",
    ] { #expect(text.contains("\"\(key)\":")) }
  }

  @Test func aVersionIsTheFirstLineThatHasANumber() {
    let socat = """
      socat by Gerhard Rieger and contributors - see www.dest-unreach.org
      socat version 1.7.4.4 on 06 Nov 2022 08:15:51
         running on Linux version
      """
    #expect(
      BenchConditions.version(in: socat) == "socat version 1.7.4.4 on 06 Nov 2022 08:15:51")
    #expect(
      BenchConditions.version(in: "nginx version: nginx/1.22.1\n") == "nginx version: nginx/1.22.1")
    #expect(BenchConditions.version(in: "0.1.0\n") == "0.1.0")
    #expect(BenchConditions.version(in: "") == "")
  }

  @Test func theProcessorIsFoundInWhatTheKernelSays() {
    let text = "processor\t: 0\nmodel name\t: AMD EPYC: 7B13\nmodel name\t: another\n"
    #expect(BenchConditions.value(of: "model name", in: text) == "AMD EPYC: 7B13")
    #expect(BenchConditions.value(of: "cache", in: text) == "")
  }
}
