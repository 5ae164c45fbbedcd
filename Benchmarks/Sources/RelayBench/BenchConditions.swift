import Glibc

/// Under which conditions a report's rows were measured.
struct BenchConditions: Encodable {
  /// In MiB.
  var megabytesPerTurn: Int
  var repeats: Int
  /// The kernel's release.
  var kernel: String
  /// The first processor's model.
  var processor: String
  /// That are online.
  var processors: Int
  /// What each program calls its version, by the relay's name. The benchmark's own relay has none.
  var relayVersions: [String: String]

  enum CodingKeys: String, CodingKey {
    case megabytesPerTurn = "megabytes_per_turn"
    case repeats, kernel, processor, processors
    case relayVersions = "relay_versions"
  }

  /// - Throws: where one of the relays is not there.
  init(_ options: BenchOptions, relays: [BenchCase.Relay], _ programs: RelayCommand.Programs) throws
  {
    megabytesPerTurn = options.megabytes
    repeats = options.repeats
    kernel = String(readText("/proc/sys/kernel/osrelease").prefix { $0 != "\n" })
    processor = BenchConditions.value(of: "model name", in: readText("/proc/cpuinfo"))
    processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    relayVersions = [:]
    for relay in relays {
      guard let command = programs.versionCommand(of: relay) else { continue }
      relayVersions[relay.rawValue] = try Turn.inFolder { folder in
        let process = try RelayProcess(command, callCounter: programs.callCounter, in: folder)
        _ = try process.awaitSuccess()
        return BenchConditions.version(in: process.output)
      }
    }
  }

  /// The first line with a digit: socat begins with its author.
  static func version(in output: String) -> String {
    let line = output.split(separator: "\n").first { $0.contains(where: \.isNumber) }
    return line.map { String($0.trimmed) } ?? ""
  }

  /// After `name:` in a text of proc(5), empty where there is none.
  static func value(of name: String, in text: String) -> String {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return line.firstIndex(of: ":").map { String(line[$0...].dropFirst().trimmed) } ?? ""
    }
    return ""
  }
}

extension Substring {
  /// Without what is blank at its ends.
  fileprivate var trimmed: Substring {
    let front = drop(while: \.isWhitespace)
    return front.lastIndex { !$0.isWhitespace }.map { front[...$0] } ?? ""
  }
}
