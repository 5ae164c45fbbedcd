import ArgumentParser
import Lab
import StreamProxy

@main
struct TortureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-torture",
    abstract: "Migrate a real guest again and again while things go wrong, and count what is lost.",
    discussion: """
      Each round migrates a guest that serves a database and owns memory whose every word is known, \
      with a fault at a random moment. Then the guest has to be at one place, with every document and \
      every page as it was written. The next round takes the same guest from there. `make torture` \
      builds what is needed and calls this with the right paths.

      Exit codes: 0 nothing was lost; 1 something was, or a round could not be carried out; 64 wrong \
      flags.
      """)

  @Option(help: "How many rounds.")
  var rounds = 20
  @Option(help: "Decides which faults strike when; the same seed repeats a run.")
  var seed: UInt64 = 1
  @Option(help: "The number of the first round, to repeat a part of a run.")
  var from = 1
  @Option(help: "Begin no round after so many seconds; 0 is no limit.")
  var seconds = 0.0
  @Option(
    name: .customLong("fault"),
    help: "Every round has this fault, as the table names it; to look for the reason of something.")
  var only: Fault?
  @Flag(help: "Every round goes without the proxy; with --fault.")
  var plain = false
  @Option(name: .customLong("json"), help: "Write the tallies to this file.")
  var jsonFile: String?

  @OptionGroup var places: LabPlaces

  func validate() throws {
    guard rounds >= 1, from >= 1, rounds <= 100_000, from <= 100_000 else {
      throw ValidationError("--rounds and --from take numbers from 1 to 100000.")
    }
    guard !plain || only?.fitsPlain == true else {
      throw ValidationError("--plain takes a --fault that can do without the proxy.")
    }
  }

  func run() throws {
    Interrupts.cleanUpWhenReceived(as: "leafcutter-torture")
    ChildProcess.endAllWithTheirStarter()
    defer { Cleanup.run() }
    var problem: LabError?
    do throws(LabError) {
      var run = TortureRun(
        bench: try prepare(), seed: seed, numbers: from..<(from + rounds), seconds: seconds,
        keptLogs: "\(places.state)/torture")
      run.only = only
      run.plain = plain
      do throws(LabError) { try run.execute() } catch { problem = error }
      print("seed \(seed)\n\n\(run.tally.text)")
      try write(run.tally)
      guard run.tally.isClean, problem == nil else {
        throw problem ?? LabError("something was lost; see the table")
      }
    } catch {
      Terminal.complain("leafcutter-torture: \(error)")
      throw ExitCode.failure
    }
  }

  private func write(_ tally: Tally) throws(LabError) {
    guard let jsonFile else { return }
    do {
      try tally.write(toFile: jsonFile, seed: seed)
    } catch {
      throw LabError("cannot write \(jsonFile): \(error)")
    }
  }

  private func prepare() throws(LabError) -> Bench {
    let files = try LabFiles(state: places.state, keepsLogs: false)
    let image = try GuestImage.prepared(
      .init(documents: Bench.documents), store: places.store, state: places.state, files: files
    ) { Terminal.complain($0) }
    return Bench(
      files: files, image: image,
      disk: try image.copy(to: "\(files.scratch)/guest.img", files: files),
      guestDirectory: places.guest, proxyProgram: places.proxy)
  }
}

extension Fault: ExpressibleByArgument {}
