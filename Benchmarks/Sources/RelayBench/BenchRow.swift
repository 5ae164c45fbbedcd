/// A row of a report: medians, and the turns that they are of. The processor's time, memory and calls are those
/// of the relay; there are none without one.
struct BenchRow: Encodable {
  var relay: String
  var mode: String
  var channels: Int
  var socket: String
  /// A fraction.
  var dead: Double
  var pattern: String
  var medians: BenchFigures
  /// Of each figure by itself; they need not be of the same turn.
  var lowest: BenchFigures
  var highest: BenchFigures
  /// Turn by turn.
  var samples: [BenchFigures]
  var cost: Cost?

  /// What else a relay takes; see ``RelayMemory``.
  struct Cost {
    /// At the end of the stream.
    var processes: Int
    /// The peaks of all processes together, in bytes.
    var residentBytes: Int
    /// Each shared page once, in bytes.
    var proportionalBytes: Int
    var systemCallsPerGB: Double
    /// Which calls these are; the two do not compare.
    var systemCallsCountedBy: RelayCounters.Counter
  }

  enum CodingKeys: String, CodingKey {
    case relay, mode, channels, socket, dead, pattern, lowest, highest, samples, processes
    case residentBytes = "rss_bytes"
    case proportionalBytes = "pss_bytes"
    case systemCallsPerGB = "syscalls_per_gb"
    case systemCallsCountedBy = "syscalls_counted_by"
  }

  /// - Parameter measurement: of at least one turn.
  init(_ measurement: Measurement) {
    let bench = measurement.bench
    relay = bench.relay.rawValue
    mode = bench.mode.rawValue
    channels = bench.channels
    socket = bench.socket.rawValue
    dead = Double(bench.dead.percent) / 100
    pattern = bench.dead.arrangement.rawValue
    let hasRelay = bench.relay != .none
    func figures(_ which: (Spread) -> Double) -> BenchFigures {
      BenchFigures(withRelay: hasRelay) { which(measurement.spread($0)) }
    }
    medians = figures(\.median)
    lowest = figures(\.least)
    highest = figures(\.most)
    samples = measurement.samples.map { sample in
      BenchFigures(withRelay: hasRelay) { $0(sample) }
    }
    guard hasRelay else { return }
    func median(_ value: (RelayMemory) -> Int) -> Int {
      Int(measurement.spread { Double(value($0.memory)) }.median)
    }
    cost = Cost(
      processes: median(\.processes), residentBytes: median(\.peakResident),
      proportionalBytes: median(\.proportional),
      systemCallsPerGB: measurement.spread(\.systemCallsPerGB).median,
      // The kernel allows it in every turn or in none.
      systemCallsCountedBy: measurement.samples[0].systemCallsCountedBy)
  }

  /// Every key in every row, null where there is no value.
  func encode(to encoder: any Encoder) throws {
    try medians.encode(to: encoder)
    var row = encoder.container(keyedBy: CodingKeys.self)
    try row.encode(relay, forKey: .relay)
    try row.encode(mode, forKey: .mode)
    try row.encode(channels, forKey: .channels)
    try row.encode(socket, forKey: .socket)
    try row.encode(dead, forKey: .dead)
    try row.encode(pattern, forKey: .pattern)
    try row.encode(lowest, forKey: .lowest)
    try row.encode(highest, forKey: .highest)
    try row.encode(samples, forKey: .samples)
    try row.encode(cost?.processes, forKey: .processes)
    try row.encode(cost?.residentBytes, forKey: .residentBytes)
    try row.encode(cost?.proportionalBytes, forKey: .proportionalBytes)
    try row.encode(cost?.systemCallsPerGB, forKey: .systemCallsPerGB)
    try row.encode(cost?.systemCallsCountedBy, forKey: .systemCallsCountedBy)
  }
}
