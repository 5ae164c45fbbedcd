import ArgumentParser

@main
struct BenchProgram: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-bench",
    abstract: "Measure Leafcutter's data path beside other relays.",
    subcommands: [
      CompareCommand.self, CountsCommand.self, FloorCommand.self, SpliceCommand.self,
      SinkCommand.self,
    ],
    defaultSubcommand: CompareCommand.self)
}
