import ArgumentParser

@main
struct LeafcutterDemo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-demo",
    abstract: "Migrate real guests with a busy database, without and with Leafcutter.",
    discussion: "`make demo` and `make downtime` build what is needed and call this.",
    subcommands: [DemoCommand.self, DowntimeCommand.self], defaultSubcommand: DemoCommand.self)
}
