import FoundationEssentials

/// A row of what `--json` writes: medians. The processor's time, memory and calls are those of the relay;
/// there are none without one.
struct BenchRow: Encodable {
  var relay: String
  var mode: String
  var channels: Int
  var socket: String
  /// A fraction.
  var dead: Double
  var pattern: String
  var ratio: Double
  var cpuUserPerGB: Double?
  var cpuSystemPerGB: Double?
  var residentBytes: Int?
  var systemCallsPerGB: Double?

  enum CodingKeys: String, CodingKey {
    case relay, mode, channels, socket, dead, pattern, ratio
    case cpuUserPerGB = "cpu_user_s_per_gb"
    case cpuSystemPerGB = "cpu_system_s_per_gb"
    case residentBytes = "rss_bytes"
    case systemCallsPerGB = "syscalls_per_gb"
  }

  init(_ measurement: Measurement) {
    let bench = measurement.bench
    relay = bench.relay.rawValue
    mode = bench.mode.rawValue
    channels = bench.channels
    socket = bench.socket.rawValue
    dead = Double(bench.dead.percent) / 100
    pattern = bench.dead.arrangement.rawValue
    ratio = measurement.spread(\.ratio).median
    guard bench.relay != .none else { return }
    cpuUserPerGB = measurement.spread(\.userPerGB).median
    cpuSystemPerGB = measurement.spread(\.systemPerGB).median
    residentBytes = Int(measurement.spread { Double($0.resident) }.median)
    systemCallsPerGB = measurement.spread(\.systemCallsPerGB).median
  }

  private struct File: Encodable { var rows: [BenchRow] }

  static func write(_ rows: [BenchRow], to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let text = String(decoding: try encoder.encode(File(rows: rows)), as: UTF8.self)
    try writeText(text + "\n", to: path)
  }

  /// Every key in every row, null where there is no value.
  func encode(to encoder: any Encoder) throws {
    var row = encoder.container(keyedBy: CodingKeys.self)
    try row.encode(relay, forKey: .relay)
    try row.encode(mode, forKey: .mode)
    try row.encode(channels, forKey: .channels)
    try row.encode(socket, forKey: .socket)
    try row.encode(dead, forKey: .dead)
    try row.encode(pattern, forKey: .pattern)
    try row.encode(ratio, forKey: .ratio)
    try row.encode(cpuUserPerGB, forKey: .cpuUserPerGB)
    try row.encode(cpuSystemPerGB, forKey: .cpuSystemPerGB)
    try row.encode(residentBytes, forKey: .residentBytes)
    try row.encode(systemCallsPerGB, forKey: .systemCallsPerGB)
  }
}
