import ArgumentParser
import EvaluationReport
import Lab

/// A list of numbers or names with commas between, as an option takes it.
struct CommaList<Element: Sendable & Equatable>: Sendable, Equatable {
  var elements: [Element]

  init(_ elements: [Element]) { self.elements = elements }

  /// - Parameter read: an element from its text; nil where it is none.
  init(_ text: String, _ name: String, read: (String) -> Element?) throws {
    elements = try text.split(separator: ",").map { word in
      guard let element = read(String(word)) else {
        throw ValidationError("\(name): \"\(word)\" is not known.")
      }
      return element
    }
    guard !elements.isEmpty else { throw ValidationError("\(name) names nothing.") }
  }
}

/// What is measured. Where an option is not given, `--quick` decides.
struct ScopeOptions: ParsableArguments {
  @Option(
    help: "Only these experiments, in this order: memory, methods, workloads, service.",
    transform: { try CommaList($0, "--only") { Experiment(rawValue: $0) } })
  var only = CommaList(Experiment.allCases)
  @Option(
    help: "Only these methods, e.g. pre-copy,leafcutter.",
    transform: { try CommaList($0, "--methods") { Method(rawValue: $0) } })
  var methods: CommaList<Method>?
  @Option(
    help: "Shares of the guest's memory that the cache holds, in per cent.",
    transform: {
      try CommaList($0, "--shares") { text in
        Int(text).flatMap { (0...80).contains($0) ? $0 : nil }
      }
    })
  var shares: CommaList<Int>?
  @Option(
    help: "Rates of the wire as tc writes them; unshaped is as fast as the host.",
    transform: { try CommaList($0, "--links") { $0 } })
  var links: CommaList<String>?
  @Option(name: .customLong("repeat"), help: "How often each point is measured.")
  var repetitions: Int?
  @Flag(help: "A short form of everything, once each.")
  var quick = false
  @Option(
    help: ArgumentHelp(
      """
      Begin no run when so many minutes are over, of which each experiment gets its part, and say how many \
      were left out; 14 in the quick form, no limit in the full one.
      """, valueName: "number"))
  var minutes: Double?
  @Option(help: "The guest's memory in MiB; 2048, and 1024 in the quick form.")
  var memory: Int?
  @Option(help: "The guest's processors.")
  var processors = 2
  @Option(help: "How the source reaches the proxy: tcp or unix.")
  var proxySocket = ProxySocket.tcp
  @Option(help: "Operations per second in experiment methods, below what the guest can do.")
  var rate = 100

  @Option(
    help:
      "Operations per second in experiment service: more than the storage serves, less than the cache."
  )
  var serviceRate = 900
  @Option(help: "What the storage does at most in experiment service, in operations per second.")
  var storageOperations = ServiceExperiment.storage.operationsPerSecond
  @Option(help: "Likewise, in MB per second.")
  var storageMegabytes = ServiceExperiment.storage.bytesPerSecond / 1_000_000

  /// What `--storage-operations` and `--storage-megabytes` come to.
  var storage: StorageLimit {
    StorageLimit(
      operationsPerSecond: storageOperations, bytesPerSecond: storageMegabytes * 1_000_000)
  }

  func validate() throws {
    guard serviceRate >= 1, storageOperations >= 1, storageMegabytes >= 1 else {
      throw ValidationError(
        "--service-rate, --storage-operations and --storage-megabytes must be at least 1.")
    }
    guard (512...65_536).contains(memory ?? 512), (1...64).contains(processors), rate >= 1 else {
      throw ValidationError(
        "--memory takes MiB, 512 to 65536, --processors 1 to 64, --rate at least 1.")
    }
    if let minutes, !(minutes > 0) { throw ValidationError("--minutes takes more than 0.") }
    if let repetitions, repetitions < 1 { throw ValidationError("--repeat takes 1 or more.") }
  }
}

extension ProxySocket: ExpressibleByArgument {}
