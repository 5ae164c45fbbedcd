import Glibc
import Synchronization

/// Serves the control port's commands, one after the other, until `close`, a signal or a failure.
///
/// Answers: `ok WORD name=value …` or `error WORD SENTENCE`, one line for each command. Besides them the
/// guest sends `ops FROM_NS READS WRITES ERRORS P99_US` for each 100 ms and a `beat` every 5 ms.
public final class ControlServer: Sendable {
  /// How the service came to its end.
  public enum Ending: Equatable, Sendable {
    /// The host said `close`; the answer is queued.
    case closed(failedTables: Int)
    /// ``interrupt()``: the database is closed.
    case interrupted
  }

  private let store: Store
  private let options: DatabaseOptions
  private let port: ControlPort
  private let checkpoints: Checkpoints
  private let torture: TortureDirectory?
  private let log: OperationsLog
  private let faults = FaultLog()
  private let stop = StopFlag()
  private let workload = Mutex<Workload?>(nil)
  /// Verification reads from the disk and uses the processors; the guests have one or two.
  private static let verifierThreads = 2

  /// - Parameters:
  ///   - checkpointSeconds: Time between checkpoints, more than 0.
  ///   - torture: Where faults are ordered; nil where there are none.
  public init(
    _ store: Store, _ options: DatabaseOptions, port: ControlPort, checkpointSeconds: Double,
    torture: TortureDirectory? = nil
  ) throws(DatabaseError) {
    self.store = store
    self.options = options
    self.port = port
    self.torture = torture
    log = OperationsLog(now: MonotonicClock.now) { slot in
      port.send("ops \(slot.from) \(slot.reads) \(slot.writes) \(slot.errors) \(slot.p99)")
    }
    checkpoints = try Checkpoints(store.database, seconds: checkpointSeconds)
  }

  /// Makes ``serve()`` end soon, from any thread.
  public func interrupt() {
    stop.set()
    port.interrupt()
  }

  /// Serves until the end; the database is closed then in any case.
  public func serve() throws -> Ending {
    let beat = Beat(port)
    let ticks = SlotTicks(log)
    defer {
      ticks.stop()
      waitForDrain()
      beat.stop()
    }
    var lines = LineReader()
    while let bytes = port.read() {
      guard !bytes.isEmpty else {
        lines.clear()
        continue
      }
      for line in lines.add(bytes) {
        switch answer(line) {
        case .line(let text): port.send(text)
        case .last(let text, let failed):
          port.send(text)
          return .closed(failedTables: failed)
        }
      }
    }
    try closeDatabase()
    return .interrupted
  }

  // MARK: Commands

  private enum Answer {
    case line(String)
    case last(String, failedTables: Int)
  }

  private func answer(_ line: String) -> Answer {
    do throws(ControlCommand.Refusal) {
      let command = try ControlCommand(line: line)
      let word = line.split(separator: " ").first.map(String.init) ?? ""
      do {
        return try perform(command)
      } catch {
        logLine("\(word): \(error)")
        return .line("error \(word) \(error)")
      }
    } catch {
      return .line("error \(error.word) \(error.sentence)")
    }
  }

  private func perform(_ command: ControlCommand) throws -> Answer {
    switch command {
    case .ping:
      return .line("ok ping")
    case .info:
      let cache = try store.cache()
      return .line(
        "ok info documents=\(store.shape.documents) cache_bytes=\(cache.limit) "
          + "cache_used=\(cache.used) cache_dirty=\(cache.dirty) "
          + "boot=\(BootIdentity.text) process=\(getpid())")
    case .warm:
      let began = MonotonicClock.now
      let warmed = try Warmer(store, stop: stop).warm(files: !options.usesDirectIO)
      let cache = try store.cache()
      return .line(
        "ok warm documents=\(warmed.documents) index_entries=\(warmed.indexEntries) "
          + "file_bytes=\(warmed.fileBytes) cache_used=\(cache.used) ms=\(milliseconds(since: began))"
      )
    case .usage:
      return try usage()
    case .cache(let mebibytes):
      let began = MonotonicClock.now
      let cache = try store.setCache(mebibytes: mebibytes)
      return .line("ok cache cache_used=\(cache.used) ms=\(milliseconds(since: began))")
    case .dropCaches:
      try GuestUsage.dropCaches()
      return .line("ok drop-caches")
    case .run(let order):
      return try run(order)
    case .halt:
      let sums = halt()
      return .line(
        "ok halt reads=\(sums.reads) writes=\(sums.writes) errors=\(sums.errors) "
          + "rollbacks=\(sums.rollbacks)")
    case .verify:
      let began = MonotonicClock.now
      let verifier = Verifier(
        store, threads: ControlServer.verifierThreads, faults: faults, stop: stop)
      let result = try verifier.verify()
      guard result.isComplete else { return .line("error verify stopped by a signal") }
      return .line(
        "ok verify documents=\(result.documents) bad=\(result.bad) "
          + "index_entries=\(result.indexEntries) ms=\(milliseconds(since: began))")
    case .close:
      return close()
    case .memory:
      guard let torture else { return .line("error memory nobody verifies memory here") }
      return .line("ok memory \(try torture.memory().text)")
    case .fault(let name):
      guard let torture else { return .line("error fault nobody carries out faults here") }
      // A checkpoint that finds the disk full ends the database.
      if name == "fill-disk" { checkpoints.rest() }
      try torture.order(name)
      if name == "free-disk" { checkpoints.goOn(afterSeconds: 3) }
      return .line("ok fault")
    }
  }

  private func usage() throws -> Answer {
    let cache = try store.cache()
    let memory = GuestUsage.memory()
    let values =
      [
        ("cache_used", UInt64(clamping: cache.used)),
        ("busy_ms", GuestUsage.busyMilliseconds() ?? 0),
      ] + ControlServer.memoryLines.map { ($0.key, memory[$0.line] ?? 0) }
    return .line("ok usage " + values.map { "\($0.0)=\($0.1)" }.joined(separator: " "))
  }

  /// Lines of /proc/meminfo, and what they are called in the answer.
  private static let memoryLines: [(key: String, line: String)] = [
    ("total", "MemTotal"), ("free", "MemFree"), ("available", "MemAvailable"),
    ("buffers", "Buffers"), ("cached", "Cached"), ("shmem", "Shmem"), ("anonymous", "AnonPages"),
    ("slab", "Slab"), ("page_tables", "PageTables"), ("kernel_stacks", "KernelStack"),
  ]

  /// The last command, however it ends: what is half closed cannot serve.
  private func close() -> Answer {
    do {
      try closeDatabase()
      let check = try TableCheck(home: store.database.home, options).run()
      return .last(
        "ok close tables=\(check.tables) failed=\(check.failed)", failedTables: check.failed)
    } catch {
      logLine("close: \(error)")
      return .last("error close \(error)", failedTables: Collection.tables.count)
    }
  }

  private func run(_ order: WorkloadOrder) throws -> Answer {
    try workload.withLock { running in
      guard running == nil else {
        return .line("error run a workload is running; halt it first")
      }
      running = try Workload(store, order, log: log, faults: faults)
      return .line("ok run")
    }
  }

  /// All zero where none runs.
  private func halt() -> Workload.Sums {
    let running = workload.withLock { running in
      defer { running = nil }
      return running
    }
    return running?.halt() ?? Workload.Sums()
  }

  /// Nothing may use the database while it closes: first the clients go, then the checkpoints.
  private func closeDatabase() throws(DatabaseError) {
    _ = halt()
    checkpoints.stop()
    let session = try store.database.openSession()
    try session.checkpoint()
    try store.database.close()
  }

  /// The last answer should reach the host, if it is there.
  private func waitForDrain() {
    let limit = MonotonicClock.now + 2_000_000_000
    while !port.isDrained, MonotonicClock.now < limit {
      MonotonicClock.sleep(until: MonotonicClock.now + 1_000_000)
    }
  }

  private func milliseconds(since began: UInt64) -> UInt64 {
    (MonotonicClock.now - began) / 1_000_000
  }
}
