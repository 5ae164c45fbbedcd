import ArgumentParser

@main
struct LeafcutterEvaluation: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-evaluation",
    abstract: "Compare Leafcutter with what an operator would use instead.",
    discussion: "`make evaluation` builds what is needed and calls this.",
    subcommands: [RunCommand.self, PlotCommand.self], defaultSubcommand: RunCommand.self)
}
