import ArgumentParser
import Guardian
import HookLink

@main
struct LeafcutterGuest: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-guest",
    abstract: "The guest's side of Leafcutter.",
    discussion: """
      `run` is the guardian: it waits for a proxy on the host to announce a migration, lets the \
      databases in this guest evict their caches, and has them read back where the guest arrives. \
      `doctor` says how well that will work here. The other commands speak to a running guardian.
      """,
    version: leafcutterVersion,
    subcommands: [
      RunCommand.self, DoctorCommand.self, StatusCommand.self, SaveCommand.self, LoadCommand.self,
      KeeperCommand.self,
      BallastCommand.self,
    ])
}

/// What the program's exit codes mean; 64 is wrong flags.
enum ExitStatus {
  /// `run`: its socket cannot be served.
  static let socketUnusable: Int32 = 2
  /// The others: no guardian answers at the socket.
  static let unreachable: Int32 = 2
  /// The guardian or a database refused.
  static let refused: Int32 = 3
  /// `doctor`: something works less well than it could.
  static let degrades: Int32 = 4
  /// `doctor`: no frame can be held in this guest.
  static let nothingHeld: Int32 = 5
}
