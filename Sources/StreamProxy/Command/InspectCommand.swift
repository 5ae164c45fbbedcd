import ArgumentParser
import Glibc
import StreamInspection

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Print what a recorded migration stream contains.",
    discussion: """
      Record one with QMP: {"execute": "migrate", "arguments": {"uri": "exec:cat>FILE"}}.

      Exit codes: 0 read to its end; 1 the stream is damaged or cut; 2 the file cannot be read.
      """)

  @Argument(help: "The recorded stream.", completion: .file())
  var file: String

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let inspection: StreamInspection
    do {
      inspection = try StreamInspection(contentsOfFile: file)
    } catch {
      fputs("leafcutter: \(error)\n", stderr)
      throw ExitCode(2)
    }
    print(json ? inspection.json : inspection.text)
  }
}
