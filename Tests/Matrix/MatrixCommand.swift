import ArgumentParser
import Foundation
import Logging
import MigrationLab
import Threads

@main
struct MatrixCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-matrix",
    abstract: "Migrate between real QEMUs in every way, and compare all memory at both ends.",
    discussion: """
      Each row is a guest of its own that fills its memory with known content and goes on changing \
      part of it; where QEMU 7.2 is involved, which damages running guests under emulation, it is \
      stopped first. Exit codes: 0 everything is as it must be, 1 something is not.
      """)

  @Option(help: ArgumentHelp("Write the rows to this file as JSON.", valueName: "file"))
  var json: String?

  @Flag(help: "Only the rows that stand for the others.")
  var short = false

  @Option(
    help: ArgumentHelp("Begin no row when so much time has passed.", valueName: "seconds"))
  var budget: Int?

  @Option(
    help: ArgumentHelp(
      "Only the rows whose line contains this; may be repeated.", valueName: "text"))
  var only: [String] = []

  @Option(help: ArgumentHelp("Where setup has unpacked QEMU 7.2.", valueName: "directory"))
  var state = ProcessInfo.processInfo.environment["LEAFCUTTER_STATE"] ?? ".lab"

  @Option(
    help: ArgumentHelp(
      "Another QEMU in place of 7.2 and 10.0; may be repeated: each with each.",
      valueName: "program"))
  var qemu: [String] = []

  @Flag(help: "Name the rows and migrate nothing.")
  var list = false

  @Flag(help: "Show what the proxy logs.")
  var verbose = false

  func run() {
    // Whoever stops the program finds no QEMU and no huge pages left.
    TerminationSignals.block()
    TerminationSignals.whenReceived { Foundation.exit(128 + $0) }
    Task.detached {
      do {
        try await migrate()
        MatrixCommand.exit()
      } catch {
        MatrixCommand.exit(withError: error)
      }
    }
    while true { pause() }
  }

  private func migrate() async throws {
    let releases =
      qemu.isEmpty
      ? [try QEMURelease.bookworm(in: state), .installed]
      : try qemu.map { try QEMURelease(program: $0) }
    let rows = MatrixRows(releases).rows.filter { row in
      (!short || row.isShort) && only.allSatisfy(MatrixTable.line(for: row).contains)
    }
    if list {
      for row in rows { print(MatrixTable.line(for: row)) }
      return
    }
    var table = MatrixTable()
    let began = ContinuousClock.now
    for (index, row) in rows.enumerated() {
      if let budget, ContinuousClock.now - began >= .seconds(budget) {
        table.notRun = rows.count - index
        break
      }
      let start = ContinuousClock.now
      let (result, problem) = await RowRun(row, logLevel: verbose ? .debug : .critical).run()
      table.add(row, result, problem, took: ContinuousClock.now - start)
    }
    table.printSum(took: ContinuousClock.now - began)
    if let json { try table.write(toFile: json) }
    if table.hasProblems { throw ExitCode(1) }
  }
}
