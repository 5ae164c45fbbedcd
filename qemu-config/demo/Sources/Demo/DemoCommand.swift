import ArgumentParser
import FoundationEssentials
import Lab

@main
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter-demo",
    abstract: "Migrate a guest with a busy database, without and with Leafcutter, and compare.",
    discussion: """
      Two network namespaces stand for two hosts, a virtual wire with a limited rate joins them, and a \
      raw image is the storage that both reach. Each run boots a fresh guest from a fresh copy of the \
      image. `make demo` builds what is needed and calls this with the right paths.

      Exit codes: 0 every run completed and every document was good; 1 something failed; 64 wrong flags.
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
  @Option(help: "The rate of the wire, as tc writes it.")
  var link = "1gbit"
  @Option(help: "QEMU's accelerator.")
  var accel = "tcg,thread=multi"
  @Option(
    name: .customLong("guest-option"), parsing: .singleValue,
    help: "Added to the guest's kernel command line (see qemu-config/guest/init).")
  var guestOptions: [String] = []
  @Option(help: "How long a migration may take, in seconds.")
  var timeout = 300.0
  @Option(name: .customLong("json"), help: "Write the figures to this file.")
  var jsonFile: String?
  @Flag(help: "Keep the logs of QEMU, guest and proxy.")
  var keepLogs = false

  @Option(help: "Where qemu-config/setup has put its files.")
  var state: String
  @Option(help: "The directory with the guest's vmlinux and initramfs.img.")
  var guest: String
  @Option(help: "The program leafcutter.")
  var proxy: String
  @Option(help: "The program leafcutter-store.")
  var store: String

  func validate() throws {
    for (name, value) in [
      ("--repeat", repetitions), ("--memory", memory), ("--processors", processors),
      ("--cache", cache),
      ("--documents", documents), ("--rate", rate), ("--threads", threads),
    ] where value < 1 {
      throw ValidationError("\(name) must be at least 1.")
    }
    guard cache < memory else { throw ValidationError("--cache must be less than --memory.") }
    for path in [proxy, store, "\(guest)/vmlinux", "\(guest)/initramfs.img"]
    where !FileManager.default.fileExists(atPath: path) {
      throw ValidationError("\(path) is not there; `make demo` builds it.")
    }
  }

  func run() throws {
    Interrupts.cleanUpWhenReceived(as: "leafcutter-demo")
    defer { Cleanup.run() }
    let setup: DemoSetup
    do {
      setup = try prepare()
    } catch {
      complain("leafcutter-demo: \(error)")
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
          complain("leafcutter-demo: the run \(kind.rawValue) failed: \(error)")
        }
      }
    }
    if !samples.isEmpty { try present(samples) }
    guard failures == 0 else { throw ExitCode.failure }
  }

  private func prepare() throws(LabError) -> DemoSetup {
    let files = try LabFiles(state: state, keepsLogs: keepLogs)
    if keepLogs { complain("logs are kept in \(files.logs)") }
    let image = try GuestImage.prepared(
      .init(documents: documents), store: store, state: state, files: files
    ) { complain("        \($0)") }
    return DemoSetup(
      files: files, hosts: try TwoHosts(rate: link, files: files), image: image,
      proxyProgram: proxy, kernel: "\(guest)/vmlinux", initramfs: "\(guest)/initramfs.img",
      accelerator: accel, memory: memory, processors: processors, cache: cache, rate: rate,
      threads: threads, seed: 1,
      guestOptions: guestOptions, timeout: timeout)
  }

  private func present(_ samples: [RunFigures]) throws {
    let report = Report(
      runs: runs.kinds.compactMap { kind in
        RunFigures.medians(of: samples.filter { $0.kind == kind })
      },
      samples: samples,
      conditions: .init(
        memory: memory, cache: cache, documents: documents, rate: rate, link: link,
        accelerator: accel))
    print(
      """

      \(documents) documents of 1 KB, \(cache) MiB of cache in a guest of \(memory) MiB, workload B at \
      \(rate) ops/s, wire of \(link)\(repetitions > 1 ? ", medians of \(repetitions)" : "")

      \(report.text)
      """)
    guard let jsonFile else { return }
    do {
      try report.write(toFile: jsonFile)
    } catch {
      complain("leafcutter-demo: \(error)")
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
