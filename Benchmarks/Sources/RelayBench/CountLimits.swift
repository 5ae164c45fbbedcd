import FoundationEssentials

/// How much the proxy may do per page and per GB: what `Benchmarks/count-limits.json` says.
struct CountLimits: Decodable {
  /// For one way of sending; the pages that are not dead are kept.
  struct Limit: Decodable {
    var mode: String
    var channels: Int
    var socket: String
    /// A fraction.
    var dead: Double
    /// How the dead pages lie; in runs where it does not say.
    var pattern: String?
    /// Reads, writes, splices and waits.
    var callsPerGB: Double
    var allocationsPerPage: Double
    /// Between the kernel and the program.
    var copiedBytesPerPage: Double
    /// Inside the program.
    var movedBytesPerPage: Double

    enum CodingKeys: String, CodingKey {
      case mode, channels, socket, dead, pattern
      case callsPerGB = "calls_per_gb"
      case allocationsPerPage = "allocations_per_page"
      case copiedBytesPerPage = "copied_bytes_per_page"
      case movedBytesPerPage = "moved_bytes_per_page"
    }
  }

  /// What was counted, in the limits' units; pages are those of the input, dead ones too.
  struct Counted {
    var callsPerGB: Double
    var allocationsPerPage: Double
    var copiedBytesPerPage: Double
    var movedBytesPerPage: Double

    init(_ turn: Turn.Result) {
      let (calls, pages) = (turn.counts.calls, Double(turn.pages))
      callsPerGB = Double(calls.io_calls) / (Double(turn.input) / 1e9)
      allocationsPerPage = Double(calls.allocations) / pages
      copiedBytesPerPage = Double(calls.io_bytes) / pages
      movedBytesPerPage = Double(calls.moved_bytes) / pages
    }

    /// The least of each: what a busy machine adds is not the program's.
    init(leastOf turns: [Turn.Result]) {
      let all = turns.map { Counted($0) }
      func least(_ value: (Counted) -> Double) -> Double { all.map(value).min() ?? 0 }
      self = all[0]
      callsPerGB = least(\.callsPerGB)
      allocationsPerPage = least(\.allocationsPerPage)
      copiedBytesPerPage = least(\.copiedBytesPerPage)
      movedBytesPerPage = least(\.movedBytesPerPage)
    }
  }

  var limits: [Limit]

  static func read(from path: String) throws -> CountLimits {
    do {
      return try JSONDecoder().decode(CountLimits.self, from: Data(contentsOf: URL(filePath: path)))
    } catch {
      throw BenchError("the limits in \(path) cannot be read: \(error)")
    }
  }
}

extension CountLimits.Limit {
  /// Each limit that has been passed, in a sentence.
  func passed(by counted: CountLimits.Counted) -> [String] {
    [
      ("calls per GB", counted.callsPerGB, callsPerGB),
      ("allocations per page", counted.allocationsPerPage, allocationsPerPage),
      ("bytes per page between kernel and program", counted.copiedBytesPerPage, copiedBytesPerPage),
      ("bytes per page moved inside the program", counted.movedBytesPerPage, movedBytesPerPage),
    ].compactMap { what, value, limit in
      value <= limit
        ? nil
        : "\(what): \(BenchTable.fixed(value, 4)), and the limit is \(BenchTable.fixed(limit, 4))"
    }
  }

  /// - Throws: where it names what is not measured.
  var bench: BenchCase {
    get throws {
      guard let mode = BenchCase.Mode(rawValue: mode),
        let socket = BenchCase.SocketFamily(rawValue: socket), 1...16 ~= channels, 0...1 ~= dead,
        let arrangement = DeadPattern.Arrangement(rawValue: pattern ?? "runs")
      else {
        throw BenchError("a limit for \(mode) \(channels), \(socket) is for nothing that is sent")
      }
      return BenchCase(
        relay: .leafcutter, mode: mode, channels: channels, socket: socket,
        dead: DeadPattern(percent: Int((dead * 100).rounded()), arrangement: arrangement))
    }
  }
}
