import ArgumentParser
import Lab
import StreamProxy

/// Fresh guests, one migration each.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Migrate a guest with a busy database, without and with Leafcutter, and compare.",
    discussion: """
      Two network namespaces stand for two hosts, a virtual wire with a limited rate joins them, and a \
      raw image is the storage that both reach. Each run boots a fresh guest from a fresh copy of the \
      image. `make demo` builds what is needed and calls this with the right paths.

      Exit codes: 0 every run completed and every document was good; 1 something failed; 64 wrong \
      flags; 130 interrupted.
      """)

  @Option(help: "Which runs, in this order.", transform: RunList.init)
  var runs = RunList(kinds: RunKind.allCases)
  @Option(name: .customLong("repeat"), help: "Do each so many times and show medians.")
  var repetitions = 1
  @Option(help: "The guest's memory in MiB.")
  var memory = 2048
  @Option(help: "The guest's processors.")
  var processors = 2
  @Option(help: "The database's cache in MiB.")
  var cache = 1280
  @Option(
    help: "How many documents of 1 KB the database has; the default fits into the default cache.")
  var documents = 900_000
  @Option(help: "Operations per second, below what the guest can do.")
  var rate = 100
  @Option(help: "Threads of the workload.")
  var threads = 4
  @OptionGroup var laboratory: LaboratoryOptions

  func validate() throws {
    for (name, value) in [
      ("--repeat", repetitions), ("--memory", memory), ("--processors", processors),
      ("--cache", cache),
      ("--documents", documents), ("--rate", rate), ("--threads", threads),
    ] where value < 1 {
      throw ValidationError("\(name) must be at least 1.")
    }
    guard cache < memory else { throw ValidationError("--cache must be less than --memory.") }
  }

  func run() throws {
    Interrupts.cleanUpWhenReceived(as: "leafcutter-demo")
    defer { Cleanup.run() }
    let setup: DemoSetup
    do {
      setup = try prepare()
    } catch {
      Terminal.complain("leafcutter-demo: \(error)")
      throw ExitCode.failure
    }
    defer { setup.hosts.tearDown() }
    var samples: [RunFigures] = []
    var failures = 0
    for number in 1...repetitions {
      for kind in runs.kinds {
        do {
          samples.append(try DemoRun(kind: kind, number: number, setup: setup).execute())
        } catch {
          failures += 1
          Terminal.complain("leafcutter-demo: the run \(kind.rawValue) failed: \(error)")
        }
      }
    }
    if !samples.isEmpty { try present(samples) }
    guard failures == 0 else { throw ExitCode.failure }
  }

  private func prepare() throws(LabError) -> DemoSetup {
    try laboratory.setup(
      documents: documents, memory: memory, processors: processors, cache: cache, rate: rate,
      threads: threads)
  }

  private func present(_ samples: [RunFigures]) throws {
    let report = Report(
      runs: runs.kinds.compactMap { kind in
        RunFigures.medians(of: samples.filter { $0.kind == kind })
      },
      samples: samples,
      conditions: .init(
        memory: memory, cache: cache, documents: documents, rate: rate,
        link: laboratory.link, accelerator: laboratory.accel))
    print(
      """

      \(documents) documents of 1 KB, \(cache) MiB of cache in a guest of \(memory) MiB, workload B at \
      \(rate) ops/s, wire of \(laboratory.link)\(repetitions > 1 ? ", medians of \(repetitions)" : "")

      \(report.text)
      """)
    guard let jsonFile = laboratory.jsonFile else { return }
    do {
      try report.write(toFile: jsonFile)
    } catch {
      Terminal.complain("leafcutter-demo: \(error)")
      throw ExitCode.failure
    }
  }
}

/// `plain,leafcutter`
struct RunList {
  var kinds: [RunKind]

  init(kinds: [RunKind]) { self.kinds = kinds }

  init(_ text: String) throws {
    kinds = try text.split(separator: ",").map { word in
      guard let kind = RunKind(rawValue: String(word)) else {
        let names = RunKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError(
          "--runs takes \(names) with commas between; \"\(word)\" is none of them.")
      }
      return kind
    }
    guard !kinds.isEmpty else { throw ValidationError("--runs names no run.") }
  }
}
