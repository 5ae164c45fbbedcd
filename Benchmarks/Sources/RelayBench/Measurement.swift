/// What the turns of one case came to.
struct Measurement {
  /// Of one turn.
  struct Sample {
    /// Throughput, in parts of that without a relay.
    var ratio: Double
    /// Bytes of input per second.
    var throughput: Double
    /// Without what the program needs for its start and its end. Seconds of a processor per GB (10⁹ bytes)
    /// of input.
    var userPerGB: Double
    var systemPerGB: Double
    var memory: RelayMemory
    var systemCallsPerGB: Double
    var systemCallsCountedBy: RelayCounters.Counter

    /// - Parameters:
    ///   - idle: what the same program takes for next to nothing.
    ///   - reference: throughput without a relay.
    init(_ turn: Turn.Result, idle: RelayProcess.Time, reference: Double) {
      let gigabytes = Double(turn.input) / 1e9
      throughput = Double(turn.input) / turn.seconds
      ratio = throughput / reference
      userPerGB = max(0, turn.time.user - idle.user) / gigabytes
      systemPerGB = max(0, turn.time.system - idle.system) / gigabytes
      memory = turn.memory
      let counted = turn.counts.callsInTotal
      systemCallsPerGB = Double(counted.number) / gigabytes
      systemCallsCountedBy = counted.by
    }
  }

  let bench: BenchCase
  var samples: [Sample] = []

  func spread(_ value: (Sample) -> Double) -> Spread { Spread(samples.map(value)) }
}

/// A median, and between what the values lie.
struct Spread: Equatable {
  let least: Double
  let median: Double
  let most: Double

  /// - Precondition: at least one value.
  init(_ values: [Double]) {
    precondition(!values.isEmpty, "a median wants a value")
    let sorted = values.sorted()
    least = sorted[0]
    most = sorted[sorted.count - 1]
    let middle = sorted.count / 2
    median =
      sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
