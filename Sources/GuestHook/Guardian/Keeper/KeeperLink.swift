import Glibc
import HookLink
import Logging

/// The guardian's end of the keeper.
///
/// The keeper has duplicates of the rings, so that held frames stay held when the guardian is killed.
/// It fetches each from the guardian and answers with the same message when it has it.
final class KeeperLink {
  /// The keeper answers in microseconds; a machine can be starved. In milliseconds.
  private static let patience = 5_000
  private static let startPatience = 15_000

  private let executable: String
  private let bound: Int
  private let logger: Logger
  private var process: ChildProcess?

  /// - Parameter bound: Seconds for which the keeper outlives a dead guardian.
  init(executable: String, bound: Int, logger: Logger) {
    self.executable = executable
    self.bound = bound
    self.logger = logger
  }

  /// Whether it runs, with all that it has been given.
  var isThere: Bool {
    process.map { !$0.hasEnded && $0.connection.ended == nil } ?? false
  }

  /// Starts the keeper where it does not run, and waits until it is ready.
  func start() {
    if isThere { return }
    stop()
    do throws(SystemError) {
      let process = try ChildProcess(
        executable: executable, subcommand: ["keeper", "--bound", "\(bound)"])
      self.process = process
      if process.connection.awaitFrame(milliseconds: KeeperLink.startPatience) == nil {
        logger.error("no keeper: \(process.connection.ended ?? "it does not start")")
        stop()
      }
    } catch {
      logger.error("no keeper: \(error)")
    }
  }

  func stop() {
    process?.killAndWait()
    process = nil
  }

  /// Lets the keeper duplicate a ring of this process; with the first one of a migration comes the
  /// mark page. False where the keeper does not have it: then it has ended, and has nothing else any more.
  func keep(_ ring: Descriptor, mark: Descriptor?, for migration: MigrationID) -> Bool {
    guard let connection = process?.connection else { return false }
    let request = LocalMessage.Keep(pid: getpid(), ring: ring.number)
    connection.send(request, for: migration, with: mark)
    guard let answer = connection.awaitFrame(milliseconds: KeeperLink.patience),
      answer.migration == migration, case .keep(request)? = try? LocalMessage(answer)
    else {
      logger.error("the keeper did not take a ring: \(connection.ended ?? "no answer")")
      stop()
      return false
    }
    return true
  }

  /// Returns when the keeper has closed everything: it has said so, or is gone.
  func letGo(_ migration: MigrationID) {
    guard let connection = process?.connection else { return }
    connection.send(LocalMessage.LetGo(), for: migration)
    if let answer = connection.awaitFrame(milliseconds: KeeperLink.patience),
      case .letGo? = try? LocalMessage(answer)
    {
      return
    }
    logger.error("the keeper did not let go: \(connection.ended ?? "no answer"); it is killed")
    stop()
  }
}
