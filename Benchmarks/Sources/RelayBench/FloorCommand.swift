import ArgumentParser
import CBenchSystem
import Glibc
import StreamProxy
import Synchronization
import Threads

/// What taking bytes out of a socket costs at least: programs that do nothing else, and hand nothing on.
/// No relay can do with less for what it drops.
struct FloorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "floor",
    abstract: "Measure what the kernel alone takes for bytes that end in a relay.")

  @OptionGroup var options: BenchOptions

  func run() throws {
    TurnCleanup.shared.runWhenInterrupted()
    let programs = try options.programs
    let memory = try GuestMemory(pages: 256 * options.megabytes)
    let little = try GuestMemory(pages: GuestMemory.reportGranule)
    print(
      """
      | bytes are | receive buffer | sockets | GB/s | user, s/GB | system, s/GB | calls/GB |
      |---|---|---|---|---|---|---|
      """)
    for socket in BenchCase.SocketFamily.allCases {
      for sink in SinkCommand.Sink.allCases where sink != .discard || socket == .tcp {
        for bounded in [true, false] {
          let idle = try (0..<3).map { _ in
            try turn(socket, sink, bounded, little, programs).time
          }
          let start = RelayProcess.Time(
            user: Spread(idle.map(\.user)).median, system: Spread(idle.map(\.system)).median)
          let samples = try (0..<options.repeats).map { _ in
            Measurement.Sample(
              try turn(socket, sink, bounded, memory, programs), idle: start, reference: 1)
          }
          func median(_ value: (Measurement.Sample) -> Double, _ digits: Int) -> String {
            BenchTable.fixed(Spread(samples.map(value)).median, digits)
          }
          let cells = [
            sink.words, bounded ? "as the proxy's" : "the kernel's choice",
            socket == .tcp ? "TCP" : "unix", median({ $0.throughput / 1e9 }, 2),
            median(\.userPerGB, 3), median(\.systemPerGB, 3), median(\.systemCallsPerGB, 0),
          ]
          print("| \(cells.joined(separator: " | ")) |")
        }
      }
    }
  }

  private func turn(
    _ socket: BenchCase.SocketFamily, _ sink: SinkCommand.Sink, _ bounded: Bool,
    _ memory: GuestMemory, _ programs: RelayCommand.Programs
  ) throws -> Turn.Result {
    try Turn.inFolder { folder in
      let address = try Turn.freeAddress(socket, in: folder)
      let relay = try RelayProcess(
        [programs.bench, "sink", "\(address)", sink.rawValue] + (bounded ? ["--bounded"] : []),
        callCounter: programs.callCounter, in: folder)
      let source = try Turn.connect(to: address, relay)
      let before = relay.now
      let began = ContinuousClock.now
      let turn = Atomic<Int>(0)
      try PageSource(memory: memory).sendPackets(to: source, turn: turn)
      source.shutDownWriting()
      // It closes when it has everything.
      _ = source.readSome()
      var result = Turn.Result(
        input: StreamSizes.packets(memory), seconds: began.duration(to: .now) / .seconds(1),
        dropped: memory.pages, pages: memory.pages)
      result.counts = relay.now - before
      result.time = try relay.awaitSuccess()
      return result
    }
  }
}
