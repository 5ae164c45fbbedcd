import ArgumentParser
import Glibc
import Logging
import StreamProxy
import Threads

struct ProxyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proxy",
    abstract: "Carry one migration from a source QEMU to a destination QEMU.",
    discussion: """
      Start it on the source host, then give QEMU its address: `migrate tcp:127.0.0.1:4444`.

      Exit codes: 0 the destination has the guest; 2 refused before anything started; 3 failed \
      before the point of no return, or the source died after pages had been dropped: the source \
      guest goes on, but where a post-copy was refused with a source before QEMU 10.0 or with \
      release-ram it may stay stopped until QEMU is ended; 4 the destination refused, failed or \
      died; 5 the source cancelled or failed, or closed or died before a page had been dropped; \
      6 stopped by its operator; 7 not known which side has the guest: ask both QEMUs with query-status \
      before you start either guest; 64 wrong flags.
      """)

  @Option(
    help: ArgumentHelp(
      "Where the source QEMU's migrate connects to.", valueName: "tcp:HOST:PORT|unix:PATH"),
    transform: SocketAddress.init(option:))
  var listen: SocketAddress

  @Option(
    help: ArgumentHelp(
      "Where the destination QEMU's -incoming listens.", valueName: "tcp:HOST:PORT|unix:PATH"),
    transform: SocketAddress.init(option:))
  var connect: SocketAddress

  @Option(
    help: ArgumentHelp(
      "The socket behind the guest's virtio-serial port org.leafcutter.hook.0.",
      valueName: "unix:PATH|tcp:HOST:PORT"),
    transform: SocketAddress.init(option:))
  var hook: SocketAddress?

  @Option(
    help: ArgumentHelp(
      "A QMP socket of the source QEMU that nobody else uses.", valueName: "unix:PATH|tcp:HOST:PORT"
    ), transform: SocketAddress.init(option:))
  var qmp: SocketAddress

  @Option(
    help: ArgumentHelp(
      "How long the guest may take to evict and report, in seconds.", valueName: "seconds"))
  var prepareTimeout = MigrationProxy.Options.defaultPrepareTimeout / .seconds(1)

  @Option(
    help: ArgumentHelp(
      "How old the last copy of the guest's mark page may be, in seconds of the guest's running time.",
      valueName: "seconds"))
  var markBound = MigrationProxy.Options.defaultMarkBound / .seconds(1)

  @Flag(help: "Pass the stream on untouched: nothing is asked of the guest and nothing is dropped.")
  var noEdit = false

  @Flag(help: "Leave the source's migration capabilities and parameters as they are.")
  var leaveSettings = false

  @Option(
    help: ArgumentHelp(
      """
      On which NUMA node the channels' threads run and have their buffers. auto: the source QEMU's, or \
      else that of the network card that leads to the destination.
      """,
      valueName: "auto|NODE|off"))
  var numa: NodeChoice = .off

  @Option(
    help: ArgumentHelp(
      "Take requests of `leafcutter control` here; the file is made with mode 0600.",
      valueName: "unix:PATH"),
    transform: SocketAddress.init(option:))
  var control: SocketAddress?

  @Option(
    name: .customLong("summary-json"),
    help: ArgumentHelp(
      "Write the summary to this file as JSON; it is empty until then.", valueName: "file"))
  var summaryFile: String?

  @Option(help: "How much to log.")
  var logLevel: LogLevel = .info

  func validate() throws {
    if hook == nil, !noEdit {
      throw ValidationError("Give --hook, or --no-edit to pass the stream on untouched.")
    }
    if case .tcp(_, let port) = listen, UInt16(port) == 0 {
      throw ValidationError("--listen takes a port from 1 to 65535: QEMU is to be told which.")
    }
    if case .tcp = control {
      throw ValidationError("--control takes a unix socket, which has an owner.")
    }
    guard prepareTimeout > 0, prepareTimeout <= 86_400 else {
      throw ValidationError("--prepare-timeout takes seconds, more than 0 and at most 86400.")
    }
    guard markBound >= 1, markBound <= 3600 else {
      throw ValidationError("--mark-bound takes seconds, from 1 to 3600.")
    }
  }

  func run() async throws {
    let level = logLevel.level
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler(label: label, stream: BackgroundOutput.standardError)
      handler.logLevel = level
      return handler
    }
    DescriptorLimit.raise()
    OutOfMemoryScore.lower()
    var options = MigrationProxy.Options(listen: listen, connect: connect, qmp: qmp)
    options.hook = noEdit ? nil : hook
    options.prepareTimeout = .seconds(prepareTimeout)
    options.markBound = .seconds(markBound)
    options.leaveSettings = leaveSettings
    options.control = control
    options.numa = numa
    options.showsProgressLine = Terminal.isPresent

    let logger = Logger(label: "leafcutter")
    let proxy: MigrationProxy
    do {
      // A migration may take hours, and what an earlier one wrote must not be taken for this one's.
      if let summaryFile { try MigrationSummary.clear(file: summaryFile) }
      proxy = try MigrationProxy(options, logger: logger)
    } catch {
      logger.error("refused: \(error)")
      throw ExitCode(ExitStatus.refused)
    }
    // The thread that waits for signals outlives the proxy, whose sockets' files go with it.
    TerminationSignals.whenReceived { [weak proxy] _ in proxy?.interrupt() }
    let summary = await proxy.run()
    // Before the form for people, which may go to somebody who reads it late.
    if let summaryFile {
      do {
        try summary.write(toFile: summaryFile)
      } catch {
        logger.error("the summary could not be written to \(summaryFile): \(error)")
      }
    }
    await BackgroundOutput.drainStandardError()
    print(summary.text)
    throw ExitCode(summary.outcome.exitCode)
  }
}

extension SocketAddress {
  /// - Throws: ValidationError, which says why it is none.
  init(option text: String) throws {
    guard let address = SocketAddress(text) else {
      throw ValidationError(SocketAddress.problem(of: text))
    }
    self = address
  }
}

extension NodeChoice: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

/// swift-log's levels, as a flag takes them.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
  case trace, debug, info, notice, warning, error

  var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
