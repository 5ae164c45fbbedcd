import FoundationEssentials
import Glibc
import Synchronization
import Threads

/// What a turn must not leave behind when somebody ends the benchmark: relays, and the folder of their files.
final class TurnCleanup: Sendable {
  static let shared = TurnCleanup()

  private struct Entries {
    /// The first process of each, whose number is its group's.
    var relays: Set<pid_t> = []
    var folders: Set<String> = []
  }

  private let entries = Mutex(Entries())

  /// From now on SIGINT, SIGTERM and SIGHUP clean up and end the program. Call it first of all: threads inherit
  /// the mask of the one that makes them.
  func runWhenInterrupted() {
    TerminationSignals.block()
    TerminationSignals.whenReceived { [self] number in
      let line = Array("leafcutter-bench: interrupted, cleaning up\n".utf8)
      // As many bytes as the array has, alive during the call.
      _ = unsafe write(STDERR_FILENO, line, line.count)
      run { exit(128 + number) }
    }
  }

  /// Ends the relays and removes the folders that there are.
  ///
  /// - Parameter completion: runs before anybody else can start or end a relay, so that the thread that measures
  ///   does not take this for a failure.
  func run(completion: () -> Void = {}) {
    entries.withLock { entries in
      for relay in entries.relays { RelayProcess.endAll(of: relay) }
      for folder in entries.folders { TurnCleanup.remove(folder) }
      entries = Entries()
      completion()
    }
  }

  /// Calls `spawn`, which gives the number of a process, or none above 0.
  func start(_ spawn: () -> pid_t) -> pid_t {
    // A signal in between would find no entry.
    entries.withLock { entries in
      let process = spawn()
      if process > 0 { entries.relays.insert(process) }
      return process
    }
  }

  /// Before the end of `relay` is collected: afterwards its number may be somebody else's.
  func forget(_ relay: pid_t) {
    _ = entries.withLock { $0.relays.remove(relay) }
  }

  func makeFolder(_ path: String) throws {
    try entries.withLock { entries in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      entries.folders.insert(path)
    }
  }

  func removeFolder(_ path: String) {
    entries.withLock { entries in
      TurnCleanup.remove(path)
      entries.folders.remove(path)
    }
  }

  private static func remove(_ folder: String) {
    // A socket's file may go at the same moment, which ends the removal. The path is a string for the call.
    for _ in 0..<10 where unsafe access(folder, F_OK) == 0 {
      if (try? FileManager.default.removeItem(atPath: folder)) == nil { usleep(1000) }
    }
  }
}
