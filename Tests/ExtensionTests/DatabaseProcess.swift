import Foundation
import Glibc

/// The test database with or without the hold library, in a directory of its own.
final class DatabaseProcess {
  struct Setup {
    var engine = TestEngine.debian
    var compressor = "none"
    var documents = 100_000
    var cacheMegabytes = 512
    /// Preloaded before the allocator.
    var preloadsHold = true
    var allocator = TestAllocator.jemalloc
    /// Extensions of the test database's own (extensions.c) that are loaded before Leafcutter's.
    var ownExtensions: [String] = []
    /// Of the engine, beside what the program gives it.
    var configuration = ""
    /// What the kernel refuses it (process.c).
    var refuses = ""
    /// Seconds for which the engine, from 11 on, recovers with a session open; 0 for no such session.
    var recoversFor = 0
    /// The user that runs it, without a capability of root's; nil for the tests' own.
    var user: UInt32?
  }

  let home: String
  let socket: String
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var buffered = Data()

  /// Seconds for which an answer may take; the longest here take a few.
  private static let patience: Int32 = 120

  static let products = Bundle.testProducts
  /// Where Leafcutter's two libraries are: measurements want the release's.
  static let libraries =
    ProcessInfo.processInfo.environment["LEAFCUTTER_LIBRARIES"] ?? products

  /// - Parameter directory: of an earlier process, to open its database again.
  init(_ setup: Setup = Setup(), directory: String? = nil) throws {
    // A command is written to it, dead or alive; its own signals are as a database's are.
    signal(SIGPIPE, SIG_IGN)
    let directory = try directory ?? DatabaseProcess.makeDirectory()
    home = directory + "/db"
    socket = directory + "/guardian.sock"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    let libraries = DatabaseProcess.libraries
    var preload = setup.preloadsHold ? [libraries + "/libleafcutter_hold.so"] : []
    if let library = setup.allocator.library { preload.append(library) }
    // The engine takes the last list of extensions only, which is this one.
    let compressor =
      setup.compressor != "none" && setup.engine == .debian
      ? ["libwiredtiger_\(setup.compressor).so"] : []
    let extensions =
      compressor + setup.ownExtensions.map { "local={entry=\($0),early_load=true}" }
      + [libraries + "/libleafcutter_wt.so"]
    let command = [
      try setup.engine.program(), home, setup.compressor, "\(setup.documents)",
      "\(setup.cacheMegabytes)",
    ]
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      ["--default-signal=PIPE"] + (setup.user.map { DatabaseProcess.becoming($0) } ?? []) + command
    // The directory is the database's own, whichever way it comes to be that user.
    let owner = setup.user ?? (setup.refuses.contains("root") ? DatabaseProcess.nobody : nil)
    if let owner { for path in [directory, home] { unsafe chown(path, owner, owner) } }
    process.environment = [
      "LEAFCUTTER_SOCKET": socket, "LD_PRELOAD": preload.joined(separator: " "),
      "WIREDTIGER_CONFIG":
        "extensions=[\(extensions.joined(separator: ","))],\(setup.configuration)",
      "TEST_DATABASE_REFUSES": setup.refuses,
      "TEST_DATABASE_RECOVERS_FOR": "\(setup.recoversFor)",
    ]
    process.standardInput = input
    process.standardOutput = output
    _ = FileManager.default.createFile(atPath: complaintsPath, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: complaintsPath)
  }

  private var complaintsPath: String { directory + "/stderr" }
  /// What it has said on standard error.
  var complaints: String { (try? String(contentsOfFile: complaintsPath, encoding: .utf8)) ?? "" }

  var directory: String { (home as NSString).deletingLastPathComponent }
  var identifier: pid_t { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  static let nobody: UInt32 = 65534

  /// A command before another one, which then runs as that user and can do nothing that root can.
  static func becoming(_ user: UInt32) -> [String] {
    [
      "setpriv", "--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", "--inh-caps=-all",
      "--bounding-set=-all", "--no-new-privs",
    ]
  }

  static func makeDirectory() throws -> String {
    let path = FileManager.default.temporaryDirectory.path + "/leafcutter-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  func start() throws {
    try begin()
    _ = try answer()
  }

  /// It answers when it is open.
  func begin() throws { try process.run() }

  /// Sends a command and returns the numbers of its answer.
  @discardableResult
  func tell(_ command: String) throws -> [Int] {
    send(command)
    return try answer()
  }

  func send(_ command: String) { input.fileHandleForWriting.write(Data((command + "\n").utf8)) }

  func answer() throws -> [Int] {
    while true {
      if let end = buffered.firstIndex(of: 0x0a) {
        let line = String(decoding: buffered[..<end], as: UTF8.self)
        buffered = Data(buffered[(end + 1)...])
        guard line.hasPrefix("ok") else {
          throw DatabaseComplaint(line: "\(line); \(complaints.suffix(1000))")
        }
        return line.split(separator: " ").dropFirst().compactMap { Int($0) }
      }
      var item = pollfd(
        fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
      // One element, alive during the call.
      guard unsafe poll(&item, 1, DatabaseProcess.patience * 1000) > 0 else {
        throw DatabaseComplaint(
          line: "no answer in \(DatabaseProcess.patience) s; \(complaints.suffix(1000))")
      }
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw DatabaseComplaint(line: "the database has ended") }
      buffered.append(more)
    }
  }

  /// Waits for the process to end; false when it has to be killed.
  func waitForExit(seconds: Double) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while process.isRunning && Date() < deadline { usleep(10_000) }
    if process.isRunning {
      kill(process.processIdentifier, SIGKILL)
      return false
    }
    return process.terminationStatus == 0
  }

  /// Ends the process if it runs and removes its files.
  func remove() {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    // Foundation takes it for running as long as a child of its own is.
    _ = waitForExit(seconds: 10)
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// A field of /proc/PID/status in bytes.
  func memory(_ field: String) -> Int { DatabaseProcess.memory(field, of: identifier) }

  static func memory(_ field: String, of process: pid_t) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") } ?? ""
    return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }
}

struct DatabaseComplaint: Error {
  var line: String
}
