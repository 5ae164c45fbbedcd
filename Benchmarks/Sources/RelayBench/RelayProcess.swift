import CBenchSystem
import Glibc

/// A program that relays, from its start to its end, and what it cost.
@safe
final class RelayProcess {
  /// What only rises while the program runs.
  struct Counts {
    /// By the kernel's count; nil where it does not tell.
    var systemCalls: UInt64?
    /// By the library in the program.
    var calls = call_counts()

    static func - (later: Counts, earlier: Counts) -> Counts {
      var counts = Counts()
      if let now = later.systemCalls, let then = earlier.systemCalls {
        counts.systemCalls = now - then
      }
      counts.calls = call_counts(
        io_calls: later.calls.io_calls - earlier.calls.io_calls,
        io_bytes: later.calls.io_bytes - earlier.calls.io_bytes,
        allocations: later.calls.allocations - earlier.calls.allocations,
        moved_bytes: later.calls.moved_bytes - earlier.calls.moved_bytes)
      return counts
    }
  }

  /// In seconds, of the program and the children that it has waited for.
  struct Time {
    var user = 0.0
    var system = 0.0
  }

  let process: pid_t
  private let counts: UnsafeMutablePointer<call_counts>
  private let counter: Int32
  private let log: String
  private var status: Int32?
  private var time = Time()

  /// - Parameters:
  ///   - command: the program's path and its arguments.
  ///   - counter: the library that counts calls.
  ///   - folder: for the counts and for what the program says.
  init(_ command: [String], callCounter: String, in folder: String) throws {
    let file = "\(folder)/counts"
    guard let mapped = unsafe bench_map_file(file, MemoryLayout<call_counts>.size) else {
      throw BenchError("\(file) cannot be mapped: \(errorText(errno))")
    }
    // The file is as long as the structure and begins with zeroes.
    unsafe counts = mapped.assumingMemoryBound(to: call_counts.self)
    log = "\(folder)/log"
    // The path is a string for the duration of the call.
    let output = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer { close(output) }
    counter = bench_count_system_calls()
    // Without colour, and with what a program needs that looks for others.
    let environment = [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_PRELOAD=\(callCounter)",
      "\(CALL_COUNTS_FILE)=\(file)",
    ]
    process = unsafe RelayProcess.withStrings(command) { arguments in
      unsafe RelayProcess.withStrings(environment) { environment in
        // Both lists end with nil and are alive during the call.
        unsafe bench_spawn(arguments[0]!, arguments, environment, output)
      }
    }
    guard process > 0 else {
      throw BenchError(
        "\(command[0]) cannot be started; is it there? `make setup-bench` installs the relays")
    }
  }

  deinit {
    if status == nil {
      kill(process, SIGKILL)
      _ = try? wait()
    }
    // Mapped by this value, for as long as the structure.
    unsafe munmap(counts, MemoryLayout<call_counts>.size)
    if counter >= 0 { close(counter) }
  }

  var now: Counts {
    // The other process writes while this one reads: each word is whole.
    Counts(
      systemCalls: counter >= 0 ? bench_system_calls(counter) : nil, calls: unsafe counts.pointee)
  }

  /// The highest resident memory so far, in bytes, of the program and its children together.
  var peakResident: Int {
    ([String(process)] + children).reduce(0) { $0 + peakResident(of: $1) }
  }

  private var children: [String] {
    readText("/proc/\(process)/task/\(process)/children").split(separator: " ").map(String.init)
  }

  /// VmHWM of proc(5). `ru_maxrss` would count the memory of whoever started the program.
  private func peakResident(of process: String) -> Int {
    for line in readText("/proc/\(process)/status").split(separator: "\n")
    where line.hasPrefix("VmHWM:") {
      return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }
    return 0
  }

  var isAlive: Bool {
    if status != nil { return false }
    var state: Int32 = 0
    var usage = rusage()
    // Two locals to write to.
    guard unsafe wait4(process, &state, WNOHANG, &usage) == process else { return true }
    ended(state, usage)
    return false
  }

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

  var said: String { String(readText(log).suffix(2000)) }

  private func wait() throws -> Time {
    guard status == nil else { return time }
    var state: Int32 = 0
    var usage = rusage()
    // Two locals to write to.
    while unsafe wait4(process, &state, 0, &usage) != process {
      guard errno == EINTR else { throw BenchError("wait4: \(errorText(errno))") }
    }
    ended(state, usage)
    return time
  }

  private func ended(_ state: Int32, _ usage: rusage) {
    func seconds(_ time: timeval) -> Double {
      Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000
    }
    status = state
    time = Time(user: seconds(usage.ru_utime), system: seconds(usage.ru_stime))
  }

  private static func withStrings<Result>(
    _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    // Copies that are freed behind the call.
    var copies = unsafe texts.map { unsafe strdup($0) } + [nil]
    defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
    return unsafe copies.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
  }
}

/// A small file, empty where it cannot be read.
func readText(_ path: String) -> String {
  // The path is a string for the duration of the call.
  let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return "" }
  defer { close(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 16 * 1024)
  while true {
    // The array is alive during the call, which writes at most as much as it holds.
    let count = unsafe read(file, &buffer, buffer.count)
    guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
    bytes += buffer[..<count]
  }
}
