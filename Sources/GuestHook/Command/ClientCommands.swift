import ArgumentParser
import Glibc
import Guardian
import HookLink

private let exitCodes = """
  Exit codes: 0 done; 2 no guardian answers at the socket; 3 the guardian or a database refused, \
  and says why; 64 wrong flags.
  """

struct ClientOptions: ParsableArguments {
  @Option(help: "The guardian's socket.")
  var socket = LocalMessage.defaultSocket

  /// Carries out one request; errors become a sentence on standard error and an exit code.
  func ask<Request: Message>(_ request: Request) throws -> LocalMessage {
    do throws(GuardianClient.Failure) {
      let client = try GuardianClient(socket: socket)
      return try client.ask(request) { progress in
        print("\(progress.activity): \(progress.done) of \(progress.total)")
      }
    } catch {
      complain(error.description)
      throw ExitCode(error.isRefusal ? ExitStatus.refused : ExitStatus.unreachable)
    }
  }

  /// What is thrown where the guardian answers something else than was asked.
  static func otherAnswer() -> ExitCode {
    complain("the guardian's answer is of another kind; is it of this program's release?")
    return ExitCode(ExitStatus.refused)
  }
}

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Say what the guardian is doing.", discussion: exitCodes)

  @OptionGroup var client: ClientOptions

  func run() throws {
    guard case .status(let status) = try client.ask(LocalMessage.StatusRequest()) else {
      throw ClientOptions.otherAnswer()
    }
    for line in status.lines { print(line) }
  }
}

struct SaveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "save",
    abstract: "Write down which leaf pages are in a database's cache.",
    discussion: "The manifest lies next to the database; nothing is evicted.\n\n" + exitCodes)

  @OptionGroup var client: ClientOptions

  @Argument(help: "The database's directory; every registered database without it.")
  var home = ""

  func run() throws {
    guard case .prepared(let answer) = try client.ask(LocalMessage.SaveManifest(home: home)) else {
      throw ClientOptions.otherAnswer()
    }
    print("\(answer.leavesInManifest) of \(answer.leavesListed) leaf pages are in the manifest")
    printDetails(answer.steps, answer.notes)
  }
}

struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Read the leaf pages of a database's manifest into its cache.",
    discussion: "For instance after a restart.\n\n" + exitCodes)

  @OptionGroup var client: ClientOptions

  @Option(help: "Threads that read.")
  var threads: UInt32 = 2

  @Option(
    help: ArgumentHelp(
      "Leaf pages that all of them read in a second at most; 0 is no limit.", valueName: "leaves/s")
  )
  var rate: UInt32 = 0

  @Flag(
    name: .customLong("no-yield"),
    help: "Read as fast as it goes, however long the database's own reads take meanwhile.")
  var noYield = false

  @Argument(help: "The database's directory; every registered database without it.")
  var home = ""

  func validate() throws {
    guard (1...64).contains(threads) else { throw ValidationError("--threads takes 1 to 64.") }
  }

  func run() throws {
    let request = LocalMessage.LoadManifest(
      home: home, threads: threads, leavesPerSecond: rate, yields: !noYield)
    guard case .resumed(let answer) = try client.ask(request) else {
      throw ClientOptions.otherAnswer()
    }
    print(
      """
      \(answer.leavesRefaulted) of \(answer.leavesInManifest) leaf pages read, \
      \(answer.leavesResident) are in the cache
      """)
    printDetails(answer.steps, answer.notes)
  }
}

private func printDetails(_ steps: [StepTime], _ notes: [String]) {
  for step in steps { print("  \(step.step): \(step.nanoseconds / 1_000_000) ms") }
  for note in notes { print("  note: \(note)") }
}

private func complain(_ sentence: String) {
  let bytes = Array("leafcutter-guest: \(sentence)\n".utf8)
  // The array is alive during the call.
  _ = unsafe write(2, bytes, bytes.count)
}
