import ArgumentParser
import Guardian

/// The guardian starts these two itself; their socket to it is descriptor 3.
private let inheritedSocket: Int32 = 3

struct KeeperCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keeper", abstract: "Hold frames on when the guardian dies.", shouldDisplay: false)

  @Option var bound = 30

  func run() {
    var keeper = KeeperProcess(socket: inheritedSocket, bound: bound)
    keeper.run()
  }
}

struct BallastCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ballast", abstract: "Hold zero-filled memory.", shouldDisplay: false)

  func run() { BallastProcess.run(socket: inheritedSocket) }
}
