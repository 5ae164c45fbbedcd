import ArgumentParser

/// Counts what the proxy does, and compares it with limits: a check that does not depend on how fast the
/// machine is. Of the repeats the least of each counts.
struct CountsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "counts",
    abstract: "Count the proxy's calls, allocations and copies, and fail where there are too many.")

  @OptionGroup var options: BenchOptions

  @Option(help: ArgumentHelp("The limits.", valueName: "file"))
  var limits: String

  func run() throws {
    TurnCleanup.shared.runWhenInterrupted()
    let programs = try options.programs
    let limits = try CountLimits.read(from: self.limits).limits
    let memory = try GuestMemory(pages: 256 * options.megabytes)
    var passed: [String] = []
    print(
      """
      | the proxy | calls/GB | allocations/page | bytes copied/page | bytes moved/page |
      |---|---|---|---|---|
      """)
    for limit in limits {
      let bench = try limit.bench
      let counted = CountLimits.Counted(
        leastOf: try (0..<options.repeats).map { _ in
          try Turn(bench: bench, memory: memory, programs: programs).run()
        })
      let cells = [
        "\(BenchTable.title(bench)), \(bench.dead.percent) % dead"
          + (bench.dead.arrangement == .scattered ? ", scattered" : ""),
        BenchTable.fixed(counted.callsPerGB, 0), BenchTable.fixed(counted.allocationsPerPage, 4),
        BenchTable.fixed(counted.copiedBytesPerPage, 1),
        BenchTable.fixed(counted.movedBytesPerPage, 1),
      ]
      print("| \(cells.joined(separator: " | ")) |")
      passed += limit.passed(by: counted).map { "\(bench): \($0)" }
    }
    guard passed.isEmpty else {
      throw BenchError(
        "the proxy does more than \(self.limits) allows:\n" + passed.joined(separator: "\n"))
    }
  }
}
