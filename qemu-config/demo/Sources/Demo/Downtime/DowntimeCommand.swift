import ArgumentParser
import Lab
import StreamProxy

/// One guest, many migrations.
struct DowntimeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "downtime",
    abstract:
      "Migrate one guest to and fro, and compare the downtimes without and with Leafcutter.",
    discussion: """
      Migrations without and with Leafcutter take turns. Each waits until the guest has its cache back. \
      Two network namespaces stand for two hosts, a virtual wire with a limited rate joins them.

      Exit codes: 0 every migration completed and every document was good; 1 something failed; 64 wrong \
      flags; 130 interrupted.
      """)

  @Option(help: "How many migrations without Leafcutter, and as many with it.")
  var migrations = 20
  @Option(help: "The guest's memory in MiB.")
  var memory = 1024
  @Option(help: "The guest's processors.")
  var processors = 2
  @Option(help: "The database's cache in MiB.")
  var cache = 448
  @Option(
    help: "How many documents of 1 KB the database has; the default fits into the default cache.")
  var documents = 300_000
  @Option(
    help: "YCSB's workload: A half updates, B one in twenty, C none; none leaves the guest idle.")
  var workload = Workload.a
  @Option(help: "Operations per second, below what the guest can do.")
  var rate = 200
  @Option(help: "Threads of the workload.")
  var threads = 4
  @Option(
    name: .customLong("capability"), parsing: .singleValue,
    help: "A migration capability of QEMU to turn on, e.g. auto-converge.")
  var capabilities: [String] = []
  @OptionGroup var laboratory: LaboratoryOptions

  enum Workload: String, CaseIterable, ExpressibleByArgument {
    case a = "A"
    case b = "B"
    case c = "C"
    case none
  }

  func validate() throws {
    for (name, value) in [
      ("--migrations", migrations), ("--memory", memory), ("--processors", processors),
      ("--cache", cache), ("--documents", documents), ("--rate", rate), ("--threads", threads),
    ] where value < 1 {
      throw ValidationError("\(name) must be at least 1.")
    }
    guard cache < memory else { throw ValidationError("--cache must be less than --memory.") }
  }

  func run() throws {
    Interrupts.cleanUpWhenReceived(as: "leafcutter-demo")
    defer { Cleanup.run() }
    var report = DowntimeReport(limit: Double(Migration.downtimeLimit), runs: [])
    do {
      let setup = try laboratory.setup(
        documents: documents, memory: memory, processors: processors, cache: cache, rate: rate,
        threads: threads)
      defer { setup.hosts.tearDown() }
      let trips = RoundTrips(
        setup: setup, migrations: migrations,
        workload: workload == .none ? nil : workload.rawValue, capabilities: capabilities)
      try trips.execute { report.runs.append($0) }
    } catch {
      Terminal.complain("leafcutter-demo: \(error)")
      try? present(report)
      throw ExitCode.failure
    }
    do {
      try present(report)
    } catch {
      Terminal.complain("leafcutter-demo: \(error)")
      throw ExitCode.failure
    }
  }

  private func present(_ report: DowntimeReport) throws(LabError) {
    guard !report.runs.isEmpty else { return }
    let load =
      workload == .none ? "an idle guest" : "workload \(workload.rawValue) at \(rate) ops/s"
    print(
      """

      \(documents) documents of 1 KB, \(cache) MiB of cache in a guest of \(memory) MiB, \(load), wire of \
      \(laboratory.link)\(laboratory.delay > 0 ? " and \(laboratory.delay) ms" : "")

      \(report.text)
      """)
    if let file = laboratory.jsonFile { try report.write(toFile: file) }
  }
}
