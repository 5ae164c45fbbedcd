import FoundationEssentials
import Glibc
import Testing

@testable import RelayBench

/// Nothing that a turn starts outlives it.
@Suite struct RelayProcessTests {
  /// Says the number of a worker, which ignores all but SIGKILL where `stubborn`, and waits for it.
  private func program(stubborn: Bool = false) -> [String] {
    let worker = stubborn ? "(trap '' TERM; echo; while :; do sleep 0.1; done)" : "sleep 60"
    return ["/bin/sh", "-c", "trap 'echo asked; exit 0' TERM; \(worker) & echo worker $!; wait"]
  }

  /// The worker's number, as soon as it has been said.
  private func worker(of relay: RelayProcess) throws -> pid_t {
    for _ in 0..<1000 {
      for line in relay.output.split(separator: "\n") where line.hasPrefix("worker ") {
        return try #require(pid_t(line.dropFirst(7)))
      }
      usleep(5000)
    }
    throw BenchError("no worker: \(relay.output)")
  }

  /// Gone, or dead and not collected by whoever has inherited it.
  private func isGone(_ process: pid_t) -> Bool {
    for _ in 0..<400 {
      let state = readText("/proc/\(process)/stat")
      if state.isEmpty || state.contains(") Z ") { return true }
      usleep(5000)
    }
    return false
  }

  @Test func aRelayThatIsGivenUpIsAskedAndItsWorkersGoWithIt() throws {
    try Turn.inFolder { folder in
      var relay: RelayProcess? = try RelayProcess(program(), callCounter: "", in: folder)
      let worker = try worker(of: #require(relay))
      #expect(kill(worker, 0) == 0)
      relay = nil
      #expect(isGone(worker))
      #expect(readText("\(folder)/log").contains("asked"))
    }
  }

  @Test func aWorkerThatStaysWhenItsRelayEndsIsKilled() throws {
    try Turn.inFolder { folder in
      let relay = try RelayProcess(program(stubborn: true), callCounter: "", in: folder)
      let worker = try worker(of: relay)
      _ = try relay.terminate(afterChildren: false)
      #expect(isGone(worker))
    }
  }

  @Test func whoEndsTheBenchmarkLeavesNoRelayAndNoFolder() throws {
    let cleanup = TurnCleanup()
    let folder = "/tmp/leafcutter-bench-test-\(getpid())"
    try cleanup.makeFolder(folder)
    let relay = try RelayProcess(program(), callCounter: "", in: folder, cleanup: cleanup)
    let worker = try worker(of: relay)
    var isCompleted = false
    cleanup.run {
      isCompleted = true
      #expect(!relay.isAlive)
    }
    #expect(isCompleted && isGone(worker))
    #expect(!FileManager.default.fileExists(atPath: folder))
  }

  @Test func aProgramThatIsNotThereLeavesNothingOpen() throws {
    try Turn.inFolder { folder in
      #expect(throws: BenchError.self) {
        try RelayProcess(["/nowhere/relay"], callCounter: "", in: folder)
      }
      #expect(!readText("/proc/self/maps").contains("\(folder)/counts"))
    }
  }

  @Test func aRelayTakesTheSignalsThatTheBenchmarkDoesNot() throws {
    var signals = sigset_t()
    // A local, filled in by the calls.
    unsafe sigemptyset(&signals)
    unsafe sigaddset(&signals, SIGTERM)
    unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
    defer { unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
    try Turn.inFolder { folder in
      let relay = try RelayProcess(
        ["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], callCounter: "", in: folder)
      _ = try relay.awaitSuccess()
      let masks = relay.output.split(separator: "\n").compactMap { line in
        line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
      }
      let (terminate, pipe) = (UInt64(1) << UInt64(SIGTERM - 1), UInt64(1) << UInt64(SIGPIPE - 1))
      #expect(masks.count == 2 && masks.allSatisfy { $0 & (terminate | pipe) == 0 })
    }
  }
}
