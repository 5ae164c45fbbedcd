import ArgumentParser
import Glibc

/// Relays side by side: what stands in one table was measured in turn, several times.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Measure all relays in turn (the default).")

  @OptionGroup var options: BenchOptions

  @Option(
    help: ArgumentHelp("Write conditions, samples and medians to this file.", valueName: "file"))
  var json: String?

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Which sockets: tcp, unix.", valueName: "socket"))
  var sockets = BenchCase.SocketFamily.allCases

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Which modes: single, multifd.", valueName: "mode")
  )
  var modes = BenchCase.Mode.allCases

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("How many multifd channels.", valueName: "number"))
  var channels = [1, 2, 4]

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Which relays: socat, haproxy, nginx, splice, leafcutter.", valueName: "relay"))
  var relays = BenchCase.Relay.allCases

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("How many pages are dead: 0, 50, 90, 99.", valueName: "percent"))
  var dead = DeadPattern.percents

  func validate() throws {
    guard channels.allSatisfy({ 1...16 ~= $0 }) else {
      throw ValidationError("--channels takes numbers from 1 to 16.")
    }
    guard dead.allSatisfy(DeadPattern.percents.contains) else {
      let measured = DeadPattern.percents.map(String.init).joined(separator: ", ")
      throw ValidationError("--dead takes any of \(measured).")
    }
  }

  func run() throws {
    TurnCleanup.shared.runWhenInterrupted()
    let programs = try options.programs
    let conditions = try BenchConditions(options, relays: relays, programs)
    let memory = try GuestMemory(pages: 256 * options.megabytes)
    // As much as one report granule is next to nothing.
    let little = try GuestMemory(pages: GuestMemory.reportGranule)
    var rows: [BenchRow] = []
    for group in grouped {
      print("\n\(BenchTable.title(group[0])), \(options.megabytes) MiB, \(options.repeats) times\n")
      print(BenchTable.heading)
      let idle = try idleTimes(group, little, programs)
      let measurements = try measure(group, idle, memory, programs)
      for measurement in measurements {
        print(BenchTable.row(measurement))
        rows.append(BenchRow(measurement))
      }
      // A table appears when it is whole, into a pipe too, and is kept whatever becomes of the next.
      fflush(nil)
      if let json { try BenchReport(conditions: conditions, rows: rows).write(to: json) }
    }
  }

  /// Cases that are compared with the same one.
  private var grouped: [[BenchCase]] {
    let all = BenchCase.all(sockets: sockets, modes: modes, channels: channels, relays: relays)
      .filter { $0.relay != .leafcutter || dead.contains($0.dead.percent) }
    return all.filter { $0.relay == .none }.map { reference in
      all.filter { $0.withoutRelay == reference }
    }
  }

  /// What each program takes for its start, its end and a stream of 2 MiB.
  private func idleTimes(
    _ group: [BenchCase], _ memory: GuestMemory, _ programs: RelayCommand.Programs
  ) throws -> [BenchCase.Relay: RelayProcess.Time] {
    var times: [BenchCase.Relay: RelayProcess.Time] = [:]
    for bench in group where bench.dead == .none && bench.relay != .none {
      let turns = try (0..<5).map { _ in
        try Turn(bench: bench, memory: memory, programs: programs).run().time
      }
      times[bench.relay] = RelayProcess.Time(
        user: Spread(turns.map(\.user)).median, system: Spread(turns.map(\.system)).median)
    }
    return times
  }

  private func measure(
    _ group: [BenchCase], _ idle: [BenchCase.Relay: RelayProcess.Time], _ memory: GuestMemory,
    _ programs: RelayCommand.Programs
  ) throws -> [Measurement] {
    var measurements = group.map { Measurement(bench: $0) }
    // Of each group the first is the one without a relay.
    let relays = Array(group.indices.dropFirst())
    for repetition in 0..<options.repeats {
      // The machine's speed may change meanwhile: so nobody always comes first, and the reference is measured
      // once more at the other end.
      let first = relays.isEmpty ? 0 : repetition % relays.count
      let order = [0] + relays[first...] + relays[..<first]
      let turns = try order.map {
        try Turn(bench: group[$0], memory: memory, programs: programs).run()
      }
      let last = try Turn(bench: group[0].withoutRelay, memory: memory, programs: programs).run()
      let reference =
        (Double(turns[0].input) / turns[0].seconds + Double(last.input) / last.seconds) / 2
      for (index, turn) in zip(order, turns) {
        measurements[index].samples.append(
          Measurement.Sample(
            turn, idle: idle[group[index].relay] ?? RelayProcess.Time(), reference: reference))
      }
    }
    return measurements
  }
}

extension BenchCase.SocketFamily: ExpressibleByArgument {}
extension BenchCase.Mode: ExpressibleByArgument {}
extension BenchCase.Relay: ExpressibleByArgument {}
