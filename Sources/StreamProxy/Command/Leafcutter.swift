import ArgumentParser
import Threads

@main
enum Program {
  /// On the first thread, before there is any other: all of them inherit its signal mask.
  static func main() async {
    TerminationSignals.block()
    await Leafcutter.main()
  }
}

struct Leafcutter: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter",
    abstract: "Makes live migration of a virtual machine that runs a document database short.",
    discussion: """
      The proxy stands between two QEMUs. It asks the guest to evict the leaf pages of its database \
      cache, takes the memory they occupied out of the migration stream, and the guest reads the \
      pages back at the destination.
      """,
    version: leafcutterVersion,
    subcommands: [ProxyCommand.self, ControlCommand.self, InspectCommand.self])
}

let leafcutterVersion = "0.1.0"
