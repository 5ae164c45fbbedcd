import ArgumentParser
import StreamProxy

struct ControlCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control",
    abstract: "Ask something of a proxy that runs with --control.",
    discussion: """
      status            print the progress as JSON
      retarget ADDRESS  connect to the destination there from now on
      stop              end the migration, as SIGTERM does

      The socket takes one line for each connection, as above, and answers with one line of JSON; \
      {"error": "..."} says why a request is not obeyed. A post-copy that has lost its connections is \
      recovered at another port with `retarget`.

      Exit codes: 0 done; 1 the proxy does not obey, and says why; 2 no proxy answers at the socket; \
      64 wrong flags.
      """)

  @Option(
    help: ArgumentHelp("What the proxy was given as --control.", valueName: "unix:PATH"),
    transform: SocketAddress.init(option:))
  var socket: SocketAddress

  @Argument(help: ArgumentHelp("status, retarget or stop.", valueName: "request"))
  var verb: String

  @Argument(
    help: ArgumentHelp("Where the destination listens.", valueName: "tcp:HOST:PORT|unix:PATH"))
  var address: String?

  /// The words of the command line make the line of the request.
  private func request() throws(OperatorError) -> OperatorRequest {
    try OperatorRequest(line: address.map { "\(verb) \($0)" } ?? verb)
  }

  func validate() throws {
    do {
      _ = try request()
    } catch {
      throw ValidationError(error.description)
    }
  }

  func run() throws {
    do {
      print(try OperatorClient.ask(try request(), at: socket))
    } catch {
      Terminal.write("leafcutter control: \(error)\n")
      throw ExitCode(error is OperatorError ? ControlStatus.refused : ControlStatus.unreachable)
    }
  }
}

/// The exit codes of `leafcutter control`, besides 0 and 64.
enum ControlStatus {
  static let refused: Int32 = 1
  static let unreachable: Int32 = 2
}
