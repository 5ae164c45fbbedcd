import ArgumentParser
import Guardian
import HookLink

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what decides how well Leafcutter works in this guest (as root).",
    discussion: """
      One line for each thing: whether all is well with it, and if not, what it degrades to and what \
      to do. Nothing is changed.

      Exit codes: 0 all is well; 4 something degrades; 5 no frame can be held in this guest; 64 wrong \
      flags.
      """)

  @Option(
    help: ArgumentHelp(
      "The virtio-serial port to the host.", valueName: "name|/dev/…|unix:PATH"))
  var port: PortAddress = .named(PortAddress.defaultName)

  @Option(help: "The guardian's socket.")
  var socket = LocalMessage.defaultSocket

  func run() throws {
    let diagnosis = Diagnosis(GuestFacts.read(socket: socket, port: port))
    for finding in diagnosis.findings { print(finding) }
    switch diagnosis.verdict {
    case .well: return
    case .degrades: throw ExitCode(ExitStatus.degrades)
    case .nothingHeld: throw ExitCode(ExitStatus.nothingHeld)
    }
  }
}
