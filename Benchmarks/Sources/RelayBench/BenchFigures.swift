/// What a turn came to, or the least or the most of several.
struct BenchFigures: Encodable {
  /// Throughput, in parts of that without a relay.
  var ratio: Double
  /// Bytes of input per second.
  var throughput: Double
  /// Seconds of the relay's processor time per GB of input; nil where there is no relay.
  var cpuUserPerGB: Double?
  var cpuSystemPerGB: Double?

  enum CodingKeys: String, CodingKey {
    case ratio
    case throughput = "throughput_bytes_per_s"
    case cpuUserPerGB = "cpu_user_s_per_gb"
    case cpuSystemPerGB = "cpu_system_s_per_gb"
  }

  /// - Parameter value: gives one number for what it is told to take from a sample.
  init(withRelay: Bool, _ value: ((Measurement.Sample) -> Double) -> Double) {
    ratio = value(\.ratio)
    throughput = value(\.throughput)
    guard withRelay else { return }
    cpuUserPerGB = value(\.userPerGB)
    cpuSystemPerGB = value(\.systemPerGB)
  }

  /// Every key, null where there is no value.
  func encode(to encoder: any Encoder) throws {
    var figures = encoder.container(keyedBy: CodingKeys.self)
    try figures.encode(ratio, forKey: .ratio)
    try figures.encode(throughput, forKey: .throughput)
    try figures.encode(cpuUserPerGB, forKey: .cpuUserPerGB)
    try figures.encode(cpuSystemPerGB, forKey: .cpuSystemPerGB)
  }
}
