import FoundationEssentials

/// What a run of the torture came to.
struct Tally: Equatable, Sendable {
  var rounds = 0
  var plainRounds = 0
  var postcopyRounds = 0
  var faults: [Fault: Int] = [:]
  /// Faults that struck while a migration was on.
  var struckDuring: [Fault: Int] = [:]
  /// Migrations that brought the guest to the destination.
  var arrivals: [Fault: Int] = [:]
  var pagesDropped = 0
  /// Pages of the verifiers that did not hold what was written.
  var corruptedPages = 0
  /// Documents that were damaged, missing or older than they must be.
  var badDocuments = 0
  /// Guests that were nowhere, at both ends, or crashed without being told to.
  var guestsLost = 0
  /// Rounds that came to no end.
  var hangs = 0
  /// Rounds without a fault that did not complete, or through the proxy without dropping pages.
  var needlessFailures = 0

  var isClean: Bool {
    corruptedPages == 0 && badDocuments == 0 && guestsLost == 0 && hangs == 0
      && needlessFailures == 0
  }

  var text: String {
    let width = Fault.allCases.map(\.rawValue.count).max() ?? 0
    func line(_ name: String, _ values: [String]) -> String {
      name.padded(to: width) + values.map { "  " + $0.leftPadded(to: 8) }.joined()
    }
    let kinds = Fault.allCases.filter { faults[$0] != nil }.map { kind in
      line(
        kind.rawValue,
        [faults, struckDuring, arrivals].map { "\($0[kind] ?? 0)" })
    }
    let sums = [
      ("corrupted pages", corruptedPages), ("bad documents", badDocuments),
      ("guests lost", guestsLost), ("hangs", hangs), ("needless failures", needlessFailures),
    ]
    return
      ([line("fault", ["rounds", "during", "arrived"])] + kinds + [""]
      + [
        "\(rounds) rounds, \(plainRounds) of them without the proxy, \(postcopyRounds) with post-copy; "
          + "\(pagesDropped) pages dropped"
      ]
      + sums.map { "\($0.0.padded(to: width))  \("\($0.1)".leftPadded(to: 8))" })
      .joined(separator: "\n")
  }

  /// The file that `--json` writes.
  struct File: Codable, Equatable {
    var rounds: Int
    var seed: UInt64
    var faults: [String: Int]
    var corruptedPages: Int
    var badDocuments: Int
    var guestsLost: Int
    var hangs: Int
    var needlessFailures: Int
    var plainRounds: Int
    var postcopyRounds: Int

    enum CodingKeys: String, CodingKey {
      case rounds, seed, faults, hangs
      case corruptedPages = "corrupted_pages"
      case badDocuments = "bad_documents"
      case guestsLost = "guests_lost"
      case needlessFailures = "needless_failures"
      case plainRounds = "plain_rounds"
      case postcopyRounds = "postcopy_rounds"
    }
  }

  func file(seed: UInt64) -> File {
    File(
      rounds: rounds, seed: seed,
      faults: Dictionary(
        uniqueKeysWithValues: Fault.allCases.map { ($0.rawValue, faults[$0] ?? 0) }),
      corruptedPages: corruptedPages, badDocuments: badDocuments, guestsLost: guestsLost,
      hangs: hangs, needlessFailures: needlessFailures, plainRounds: plainRounds,
      postcopyRounds: postcopyRounds)
  }

  func write(toFile path: String, seed: UInt64) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    var data = try encoder.encode(file(seed: seed))
    data.append(0x0a)
    try data.write(to: URL(filePath: path))
  }
}

extension String {
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }

  func leftPadded(to width: Int) -> String {
    String(repeating: " ", count: max(0, width - count)) + self
  }
}
