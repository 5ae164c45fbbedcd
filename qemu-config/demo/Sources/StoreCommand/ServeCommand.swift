import ArgumentParser
import DocumentStore

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve a database and take commands on the control port.",
    discussion: """
      Commands, one a line: info, warm, run mix=A|B|C rate=OPS threads=N seed=S keys=zipfian|uniform, \
      halt, verify, close, ping, usage, cache mib=N, drop-caches; with --torture also memory and fault \
      NAME. Each has one answer: 'ok WORD name=value …' or 'error WORD SENTENCE'. Besides the answers \
      the store sends 'beat SEQUENCE NANOSECONDS' every 5 ms and 'ops FROM_NS READS WRITES ERRORS \
      P99_US' for each 100 ms, on the guest's CLOCK_MONOTONIC.

      Ends after close, or with a checkpoint and a clean close at SIGTERM. Exit codes: 0 all is well; \
      1 the database, the port or a table has failed; 64 wrong flags.
      """)

  @OptionGroup var database: DatabaseArguments

  @Option(help: ArgumentHelp("WiredTiger's cache.", valueName: "MiB"))
  var cache: Int

  @Option(
    help: ArgumentHelp(
      "The control port: a virtio-serial port's name, a device, or a unix socket to listen on.",
      valueName: "name|/dev/…|unix:PATH"))
  var port = PortAddress.name(PortAddress.defaultName)

  @Option(help: ArgumentHelp("Time between checkpoints.", valueName: "seconds"))
  var checkpointSeconds = 5.0

  @Flag(name: .customLong("direct-io"), help: "Read and write the tables past the page cache.")
  var directIO = false

  @Option(
    help: ArgumentHelp(
      "Pass faults on to the script that carries them out, by the named pipe in this directory.",
      valueName: "dir"))
  var torture: String?

  func validate() throws {
    guard (16...1_048_576).contains(cache) else {
      throw ValidationError("--cache takes MiB, from 16 to 1048576.")
    }
    guard checkpointSeconds >= 0.1, checkpointSeconds <= 86_400 else {
      throw ValidationError("--checkpoint-seconds takes seconds, from 0.1 to 86400.")
    }
  }

  func run() throws {
    TerminationSignals.block()
    var options = DatabaseOptions(snappy: database.snappy, cacheMiB: cache)
    options.usesDirectIO = directIO
    let control = try ControlPort(port)
    let store = try Store(try Database(database.home, options))
    let server = try ControlServer(
      store, options, port: control, checkpointSeconds: checkpointSeconds,
      torture: torture.map { TortureDirectory(path: $0) })
    TerminationSignals.whenReceived { server.interrupt() }
    logLine("serving \(store.shape.documents) documents of \(database.home)")
    switch try server.serve() {
    case .interrupted: logLine("closed cleanly after a signal")
    case .closed(failedTables: 0): logLine("closed cleanly; all tables verified")
    case .closed: throw ExitCode.failure
    }
  }
}

extension PortAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
  public var defaultValueDescription: String { PortAddress.defaultName }
}
