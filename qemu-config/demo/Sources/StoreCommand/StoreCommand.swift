import ArgumentParser
import DocumentStore

@main
struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-store",
    abstract: "A document store on WiredTiger: the workload of Leafcutter's demo.",
    subcommands: [
      LoadCommand.self, ServeCommand.self, VerifyCommand.self, VerifyMemoryCommand.self,
      LoadKernelCommand.self,
    ])
}

/// What every subcommand needs to open the database.
struct DatabaseArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Directory of the database.", valueName: "dir"))
  var home: String

  @Option(help: ArgumentHelp("WiredTiger's snappy extension.", valueName: "path"))
  var snappy = DatabaseOptions.defaultSnappy
}
