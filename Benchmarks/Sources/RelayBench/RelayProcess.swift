import CBenchSystem
import Glibc

/// A program that relays, from its start to its end, and what it cost.
@safe
final class RelayProcess {
  /// In seconds, of the program and the children that it has waited for.
  struct Time {
    var user = 0.0
    var system = 0.0
  }

  private let process: pid_t
  private let counters: RelayCounters
  private let cleanup: TurnCleanup
  private let log: String
  private var status: Int32?
  private var time = Time()

  /// - Parameters:
  ///   - command: the program's path and its arguments.
  ///   - callCounter: the library that counts calls.
  ///   - folder: for the counts and for what the program says.
  ///   - cleanup: what ends it when somebody ends the benchmark.
  /// - Throws: where the program cannot be started.
  init(
    _ command: [String], callCounter: String, in folder: String, cleanup: TurnCleanup = .shared
  ) throws {
    let counters = try RelayCounters(in: folder)
    self.counters = counters
    self.cleanup = cleanup
    log = "\(folder)/log"
    // The path is a string for the duration of the call.
    let output = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard output >= 0 else { throw BenchError("\(log) cannot be written: \(errorText(errno))") }
    defer { close(output) }
    // Without colour, and with what a program needs that looks for others.
    let environment = [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_PRELOAD=\(callCounter)",
      "\(CALL_COUNTS_FILE)=\(counters.file)",
    ]
    process = cleanup.start {
      unsafe RelayProcess.withStrings(command) { arguments in
        unsafe RelayProcess.withStrings(environment) { environment in
          // Both lists end with nil and are alive during the call.
          unsafe bench_spawn(arguments[0]!, arguments, environment, output)
        }
      }
    }
    guard process > 0 else {
      throw BenchError(
        "\(command[0]) cannot be started; is it there? `make setup-bench` installs the relays")
    }
  }

  deinit {
    guard status == nil, process > 0 else { return }
    RelayProcess.endAll(of: process)
    _ = try? wait()
  }

  /// Asks all processes of a relay to end, and kills those that are left when the first has, or a second later.
  ///
  /// - Parameter relay: its first process, whose end has not been collected.
  static func endAll(of relay: pid_t) {
    kill(-relay, SIGTERM)
    let deadline = ContinuousClock.now + .seconds(1)
    while !bench_has_ended(relay, false), .now < deadline { usleep(1000) }
    kill(-relay, SIGKILL)
  }

  var now: RelayCounters.Counts { counters.now }

  /// Of the program and its children.
  var memory: RelayMemory { RelayMemory(of: [String(process)] + children) }

  private var children: [String] {
    readText("/proc/\(process)/task/\(process)/children").split(separator: " ").map(String.init)
  }

  var isAlive: Bool { status == nil && !bench_has_ended(process, false) }

  /// Ends a program that would relay for ever. What children cost is told only when their parent has waited
  /// for them.
  ///
  /// - Parameter afterChildren: whether they end with their connections, and are waited for.
  func terminate(afterChildren: Bool) throws -> Time {
    let deadline = ContinuousClock.now + .seconds(2)
    while afterChildren, !children.isEmpty, .now < deadline { usleep(1000) }
    if isAlive { kill(process, SIGTERM) }
    return try wait()
  }

  /// Waits for a program that ends with its connections.
  ///
  /// - Throws: where it says that something went wrong.
  func awaitSuccess() throws -> Time {
    let time = try wait()
    guard status == 0 else {
      throw BenchError("a relay failed (wait status \(status ?? -1)); it said: \(said)")
    }
    return time
  }

  /// The end of what it said, for an error.
  var said: String { String(output.suffix(2000)) }

  /// All that it said.
  var output: String { readText(log) }

  private func wait() throws -> Time {
    guard status == nil else { return time }
    _ = bench_has_ended(process, true)
    // Children that it has left. The group's number is the relay's until its end has been collected.
    kill(-process, SIGKILL)
    cleanup.forget(process)
    var state: Int32 = 0
    var usage = rusage()
    // Two locals to write to.
    while unsafe wait4(process, &state, 0, &usage) != process {
      guard errno == EINTR else { throw BenchError("wait4: \(errorText(errno))") }
    }
    func seconds(_ time: timeval) -> Double {
      Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
    }
    status = state
    time = Time(user: seconds(usage.ru_utime), system: seconds(usage.ru_stime))
    return time
  }

  private static func withStrings<Result>(
    _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    // Copies that are freed after the call.
    var copies = unsafe texts.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
    return unsafe copies.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
  }
}
