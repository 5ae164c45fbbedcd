import CLabSystem
import Glibc
import Synchronization

/// A program that the laboratory started, with its output in a log file. It is killed when the
/// laboratory ends. A terminal's interrupt does not reach it, so that whoever started it decides when
/// it ends.
public final class ChildProcess: Sendable {
  /// How a process ended.
  public enum Ending: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    public var description: String {
      switch self {
      case .exited(let code): "ended with exit code \(code)"
      case .killed(let signal): "was killed by signal \(signal)"
      }
    }
  }

  public let name: String
  public let pid: pid_t
  public let log: String
  private static let endsWithStarter = Atomic(false)
  private let ending = Mutex(Ending?.none)
  private let cleanup = Mutex(Int?.none)

  /// From now on the kernel kills every program when the **thread** that started it ends, be it because
  /// the laboratory was killed. For programs that start everything from a thread that lasts: those of
  /// Swift's pool do not.
  public static func endAllWithTheirStarter() { endsWithStarter.store(true, ordering: .relaxed) }

  /// Starts `arguments`, of which the first is looked for in PATH. Standard input is empty; standard
  /// output and error go to the file `log`, which is made anew.
  public init(_ name: String, _ arguments: [String], log: String) throws(LabError) {
    self.name = name
    self.log = log
    pid = try ChildProcess.spawn(arguments, log: log)
    let id = Cleanup.add { [weak self] in self?.kill() }
    cleanup.withLock { $0 = id }
  }

  deinit { kill() }

  /// How it ended, or nil while it runs.
  public var endingIfAny: Ending? {
    ending.withLock { ending in
      if ending != nil { return ending }
      var status: Int32 = 0
      // The status is written to a local of the right type.
      guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
      // The layout of the status is that of wait(2): a signal's number in the lowest seven bits.
      let signal = status & 0x7f
      ending = signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
      cleanup.withLock { $0.map(Cleanup.forget) }
      return ending
    }
  }

  /// Waits for the end; nil when `timeout` seconds were over before.
  public func wait(for timeout: Double) -> Ending? {
    HostClock.poll(every: 0.005, for: timeout) { endingIfAny }
  }

  /// Asks it to end.
  public func terminate() { send(SIGTERM) }

  /// Kills it and waits until it is gone.
  public func kill() {
    send(SIGKILL)
    _ = wait(for: 10)
  }

  /// Stops it, or lets a stopped one go on.
  func setStopped(_ stopped: Bool) { send(stopped ? SIGSTOP : SIGCONT) }

  private func send(_ signal: Int32) {
    // The number belongs to this child until its end has been collected.
    guard endingIfAny == nil else { return }
    _ = Glibc.kill(pid, signal)
  }

  /// Runs `arguments` to its end.
  ///
  /// - Throws: when it takes longer than `timeout` seconds or does not exit with 0.
  public static func run(
    _ name: String, _ arguments: [String], log: String, timeout: Double = 30
  ) throws(LabError) {
    let process = try ChildProcess(name, arguments, log: log)
    guard let ending = process.wait(for: timeout) else {
      throw process.error("\(name) did not end within \(Int(timeout)) s")
    }
    guard ending == .exited(0) else { throw process.error("\(name) \(ending)") }
  }

  /// What the process logged last, for an error; at most one text.
  public var logs: [String] { [LabFiles.tail(of: log)].compactMap { $0 } }

  /// An error with the log.
  public func error(_ sentence: String) -> LabError { LabError(sentence, logs: logs) }

  private static func spawn(_ arguments: [String], log: String) throws(LabError) -> pid_t {
    // setpriv(1) sets PR_SET_PDEATHSIG, which posix_spawn(3) cannot.
    let starter =
      endsWithStarter.load(ordering: .relaxed) ? ["setpriv", "--pdeathsig", "KILL", "--"] : []
    let packed = (starter + arguments).flatMap { Array($0.utf8CString) }
    // Both are alive during the call, and each argument ends with its zero byte.
    let pid = unsafe leafcutter_spawn(packed, packed.count, log)
    guard pid > 0 else {
      throw LabError(
        "cannot start \(arguments[0]): \(unsafe String(cString: strerror(-pid)))")
    }
    return pid
  }
}
