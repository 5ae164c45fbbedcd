import ArgumentParser
import Glibc
import Guardian
import HookLink
import Logging
import Threads

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Be the guardian (as root).",
    discussion: """
      Databases connect to the socket by themselves when they are started with Leafcutter's \
      extension. SIGTERM, SIGINT and SIGHUP end it in order: what is held is asked back first. Where it is \
      killed, held frames are kept by a second process, so that a migration that is on stays safe.

      Exit codes: 0 it was told to end; 2 the socket cannot be served (another guardian runs); 64 wrong \
      flags.
      """)

  private static let defaults = GuardianOptions()

  @Option(
    help: ArgumentHelp(
      "The virtio-serial port to the host.", valueName: "name|/dev/…|unix:PATH"))
  var port = RunCommand.defaults.port

  @Option(help: "Where databases connect.")
  var socket = RunCommand.defaults.socket

  @Option(
    help: ArgumentHelp(
      "Let members of this group connect. They are trusted to hold what they say.",
      valueName: "name|number"),
    transform: { text in
      guard let group = GroupName(text) else {
        throw ValidationError("--socket-group: /etc/group has no group \(text).")
      }
      return group
    })
  var socketGroup: GroupName?

  @Option(help: "Cache that a database keeps until the migration is over, in MiB.")
  var smallCache = UInt32(RunCommand.defaults.smallCacheBytes >> 20)

  @Option(
    help: ArgumentHelp(
      """
      Share of each database's cache that a migration leaves in place, from 0 to \
      \(LocalMessage.PrepareDatabase.maximumKeepPercent): it crosses as memory, and need not be read \
      back.
      """, valueName: "percent"))
  var keep = RunCommand.defaults.keepPercent

  @Option(help: "Memory that stays available while free memory is filled with zeroes, in MiB.")
  var headroom = UInt32(RunCommand.defaults.headroomBytes >> 20)

  @Flag(name: .customLong("no-cache"), help: "Leave the databases' caches alone.")
  var noCache = false

  @Flag(
    name: .customLong("no-page-cache"), help: "Leave the page cache of the databases' files alone.")
  var noPageCache = false

  @Flag(name: .customLong("no-ballast"), help: "Do not fill freed memory with zeroes.")
  var noBallast = false

  @Flag(
    name: .customLong("no-refault"),
    help: "Leave it to clients to fill the cache again; the manifest stays for `load`.")
  var noRefault = false

  @Option(help: "Threads that read the cache back.")
  var refaultThreads = RunCommand.defaults.refaultThreads

  @Option(
    help: ArgumentHelp(
      "Leaf pages that all of them read in a second at most; 0 is no limit.", valueName: "leaves/s")
  )
  var refaultRate = RunCommand.defaults.refaultRate

  @Flag(
    name: .customLong("no-refault-yield"),
    help: "Read back as fast as it goes, however long the databases' own reads take meanwhile.")
  var noRefaultYield = false

  @Option(help: "Threads that probe and evict.")
  var evictThreads = RunCommand.defaults.evictThreads

  @Option(
    help: ArgumentHelp(
      "How long frames stay held when the guardian is killed, in seconds.", visibility: .hidden))
  var keeperBound = RunCommand.defaults.keeperBound

  @Option(help: "How much to log.")
  var logLevel: LogLevel = .info

  func validate() throws {
    guard (1...64).contains(refaultThreads) else {
      throw ValidationError("--refault-threads takes 1 to 64.")
    }
    let mostThreads = LocalMessage.PrepareDatabase.maximumThreads
    guard (1...mostThreads).contains(evictThreads) else {
      throw ValidationError("--evict-threads takes 1 to \(mostThreads).")
    }
    guard (1...3600).contains(keeperBound) else {
      throw ValidationError("--keeper-bound takes seconds, from 1 to 3600.")
    }
    let most = LocalMessage.PrepareDatabase.maximumKeepPercent
    guard keep <= most else {
      throw ValidationError("--keep takes per cent, from 0 to \(most).")
    }
    guard smallCache >= 1 else { throw ValidationError("--small-cache takes MiB, at least 1.") }
  }

  func run() throws {
    // Before there is any other thread: all of them inherit this one's mask.
    TerminationSignals.block()
    let level = logLevel.level
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler(label: label, stream: BackgroundOutput.standardError)
      handler.logLevel = level
      return handler
    }
    defer { BackgroundOutput.standardError.drain() }
    var options = GuardianOptions()
    options.port = port
    options.socket = socket
    options.socketGroup = socketGroup?.number
    options.smallCacheBytes = UInt64(smallCache) << 20
    options.keepPercent = keep
    options.headroomBytes = UInt64(headroom) << 20
    options.evictsCache = !noCache
    options.dropsPageCache = !noPageCache
    options.takesBallast = !noBallast
    options.refaults = !noRefault
    options.refaultThreads = refaultThreads
    options.refaultRate = refaultRate
    options.refaultYields = !noRefaultYield
    options.evictThreads = evictThreads
    options.keeperBound = keeperBound
    let logger = Logger(label: "leafcutter-guest")
    let guardian: Guardian
    do {
      guardian = try Guardian(options, logger: logger)
    } catch {
      logger.error("refused: \(error)")
      throw ExitCode(ExitStatus.socketUnusable)
    }
    let stop = WakeUp()
    TerminationSignals.whenReceived { _ in stop.raise() }
    guardian.run(until: stop)
  }
}

extension PortAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

/// swift-log's levels, as a flag takes them.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
  case trace, debug, info, notice, warning, error

  var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
