import ArgumentParser
import StreamProxy

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Print what a recorded migration stream contains.",
    discussion: """
      Record one with QEMU's `migrate exec:cat>FILE`. Printed are the machine, RAM blocks, sections, \
      commands, pages by kind and round, device states by name, and bytes by kind.

      A migration over several connections is recorded one file for each (docs/recording.md). Give \
      them together, in any order: what they are is told by their first bytes, and counts are sums. \
      A multifd or a postcopy-preempt channel can be read by itself too; the main channel of a \
      post-copy recovery only beside the one that broke.

      Exit codes: 0 the stream is complete; 1 it is damaged, cut off or of an unknown kind, or it \
      cannot be known whether it is whole (the last line says where and why); 2 a file cannot be \
      read; 64 wrong flags.
      """)

  @Argument(
    help: ArgumentHelp(
      "The recorded channels of one migration; - is the standard input.", valueName: "file"))
  var files: [String]

  @Flag(help: "Print JSON: lengths in bytes, offsets from the beginning of the file.")
  var json = false

  func validate() throws {
    guard files.count(where: { $0 == "-" }) <= 1 else {
      throw ValidationError("The standard input can be read only once.")
    }
  }

  func run() throws {
    let inspection: StreamInspection
    do {
      inspection = try StreamInspector.inspect(paths: files)
    } catch {
      Terminal.write("leafcutter inspect: \(error)\n")
      throw ExitCode(InspectionStatus.unreadable)
    }
    print(json ? try inspection.json() : inspection.text)
    if let problem = inspection.problem {
      if json { Terminal.write("leafcutter inspect: \(problem.line)\n") }
      throw ExitCode(InspectionStatus.damaged)
    }
  }

}

/// The exit codes of `leafcutter inspect`, besides 0 and 64.
enum InspectionStatus {
  static let damaged: Int32 = 1
  static let unreadable: Int32 = 2
}
