import ArgumentParser
import EvaluationReport
import FoundationEssentials
import Lab
import StreamProxy

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Migrate real guests in every way, and write down what it came to.",
    discussion: """
      Two network namespaces stand for two hosts, a virtual wire joins them, and a raw image is the \
      storage that both reach. A guest is booted and its cache filled once for each kind of it; each \
      run begins with that very guest. `make evaluation` builds what is needed and calls this with the \
      right paths.

      Exit codes: 0 every run that was begun came to its end and its content was right, whatever the \
      figures; 1 something failed; 64 wrong flags.
      """)

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var places: LabPlaces
  @Option(help: "QEMU's accelerator.")
  var accel = "tcg,thread=multi"
  @Option(
    name: .customLong("json"),
    help: ArgumentHelp(
      "Write the raw data to this file, after every run. What the file holds goes to FILE.old.",
      valueName: "file"))
  var jsonFile: String
  @Option(help: "What is measured, as `git describe` names it; noted in the raw data.")
  var commit = ""
  @Flag(help: "Add to what the file holds.")
  var append = false
  @Flag(help: "Keep the logs of QEMU, guest and proxy.")
  var keepLogs = false

  func run() throws {
    Interrupts.cleanUpWhenReceived(as: "leafcutter-evaluation")
    ChildProcess.endAllWithTheirStarter()
    defer { Cleanup.run() }
    let collector: Collector
    do throws(LabError) {
      collector = try measure()
      try collector.record.requireComparableRuns()
    } catch {
      Terminal.complain("leafcutter-evaluation: \(error)")
      throw ExitCode.failure
    }
    for goal in Goal.all { print(goal.line(in: collector.record)) }
    guard collector.failures == 0 else { throw ExitCode.failure }
  }

  private func measure() throws(LabError) -> Collector {
    let plan = Plan(scope)
    let files = try LabFiles(state: places.state, keepsLogs: keepLogs)
    let bench = Bench(
      files: files, state: places.state, guestDirectory: places.guest, proxyProgram: places.proxy,
      storeProgram: places.store, memory: plan.memory, processors: scope.processors,
      accelerator: accel, isQuick: scope.quick, proxySocket: scope.proxySocket)
    var record = EvaluationRecord(
      machine: try HostDescription.current(
        accelerator: accel, guestKernel: "\(places.guest)/vmlinux", proxyProgram: places.proxy,
        files: files))
    if FileManager.default.fileExists(atPath: jsonFile) {
      if append { record = try continued(on: record.machine) } else { try setAside() }
    }
    let session = Run.Session(
      began: Date.now.formatted(.iso8601), commit: commit.isEmpty ? nil : commit)
    let collector = try Collector(record, session: session, file: jsonFile, bench: bench)
    var limit = plan.timeLimit
    for experiment in scope.only.elements {
      collector.deadline = limit.deadline(of: experiment, now: HostClock.now)
      try plan.execute(experiment, on: bench, collector)
    }
    collector.sayWhatIsLeftOut()
    return collector
  }

  private func continued(on machine: [String: String]) throws(LabError) -> EvaluationRecord {
    let record = try EvaluationRecord(file: jsonFile)
    do {
      try record.requireSameMachine(machine)
    } catch {
      throw LabError("cannot append to \(jsonFile): \(error.sentence)")
    }
    return record
  }

  /// Hours of measuring are not overwritten.
  private func setAside() throws(LabError) {
    let old = jsonFile + ".old"
    do {
      try? FileManager.default.removeItem(atPath: old)
      try FileManager.default.moveItem(atPath: jsonFile, toPath: old)
    } catch {
      throw LabError("the raw data in \(jsonFile) cannot be set aside as \(old): \(error)")
    }
  }
}
