import CExtensionShims
import Glibc
import HookLink
import LeafManifest

/// RESUME and LOAD: the cache gets its size and its leaves back.
extension DatabaseControl {
  /// Leaves that one thread reads before it takes the next, neighbours in the file.
  private static let batch = 16
  private static let progressEvery: UInt64 = 500_000_000
  /// How often the speed is thought over, in milliseconds.
  private static let tick: Int32 = 5
  /// Nobody reads ahead for direct I/O, so more of it has to be under way; how much more is measured.
  private static let timesThreadsForDirectReads = 2
  /// More than the operator asked for are not taken beyond this: each is a session that the program has less.
  private static let mostThreadsForDirectReads = 16

  /// How fast leaves are read back.
  struct Speed {
    /// How many threads read; with 0 nothing is read back.
    var threads: Int
    /// Leaves per second over all threads; infinite for as fast as it goes.
    var limit: Double
    /// The program's own reads come first.
    var yields: Bool
    /// The database reads its tables past the page cache.
    var readsDirectly = false

    /// - Parameter rate: leaves per second, 0 for no limit.
    init(_ threads: UInt32, _ rate: UInt32, yields: Bool) {
      self.threads = Int(min(threads, 64))
      limit = rate == 0 ? .infinity : Double(rate)
      self.yields = yields
    }
  }

  func resume(_ speed: Speed) throws(StepFailure) -> LocalMessage.DatabaseResumed {
    guard !isHolding else {
      throw StepFailure("resume", "the held frames have not been released; release them first")
    }
    let prepared = isPrepared
    isPrepared = false
    var notes: [String] = []
    restoreCache(&notes)
    guard prepared || owed != nil else {
      throw StepFailure("resume", "the database has not been prepared")
    }
    guard hold != nil else {
      return LocalMessage.DatabaseResumed(
        leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0, steps: [],
        notes: notes + ["no leaves were listed, so none are read back"])
    }
    guard speed.threads > 0 else {
      owed = nil
      return LocalMessage.DatabaseResumed(
        leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0, steps: [],
        notes: notes + ["the guardian was started with --no-refault, so no leaves are read back"])
    }
    do throws(StepFailure) {
      var resumed = try load(speed)
      resumed.notes = notes + resumed.notes
      return resumed
    } catch {
      throw StepFailure(error.step, (notes + [error.reason]).joined(separator: "; "))
    }
  }

  func load(_ speed: Speed) throws(StepFailure) -> LocalMessage.DatabaseResumed {
    guard !isPrepared else {
      throw StepFailure("load", "the cache has been evicted for a migration; load when it is over")
    }
    var watch = Stopwatch()
    var notes: [String] = []
    let wanted: [LeafManifest.Table]
    if case .listed(let tables) = owed {
      wanted = tables
    } else {
      wanted = try readManifest().tables
    }
    let tables = try present(wanted, &notes)
    watch.lap("read manifest")
    var speed = speed
    speed.threads = max(speed.threads, 1)
    speed.readsDirectly = DatabaseControl.readsDirectly(home: agent.home)
    if speed.readsDirectly {
      let more = speed.threads * DatabaseControl.timesThreadsForDirectReads
      speed.threads = max(speed.threads, min(more, DatabaseControl.mostThreadsForDirectReads))
    }
    var pace = speed.yields ? watchReads() : nil
    defer { if pace != nil { hold?.timeReads(false) } }
    let (refaulted, isComplete) = refault(tables, speed, &pace, &notes)
    // Who interrupts it asks for the rest later.
    if isComplete { owed = nil }
    watch.lap("refault")
    if let account = pace?.account { notes.append(account) }
    var resident = refaulted
    if let hold {
      func probe() -> Residency {
        Residency(
          of: tables, home: agent.home, engine: engine, hold: hold, threads: speed.threads,
          stop: agent.stop)
      }
      var residency = probe()
      // What the engine had queued for eviction while its cache was small went when it had been read.
      // Where it is much, there is no room for it.
      let gone = refaulted - residency.resident
      if isComplete, gone > residency.unasked, gone < refaulted / 2 {
        let missing = residency.leaves(of: tables, inCache: false)
        _ = refault(missing, speed, &pace, &notes)
        residency = probe()
      }
      resident = residency.resident
      if residency.unasked > 0 {
        notes.append("\(residency.unasked) leaves could not be asked for whether they stayed")
      }
      watch.lap("probe")
    } else {
      notes.append("without libleafcutter_hold.so, leaves are not asked for whether they stayed")
    }
    return LocalMessage.DatabaseResumed(
      leavesInManifest: UInt64(wanted.leafCount), leavesRefaulted: UInt64(refaulted),
      leavesResident: UInt64(resident), steps: watch.steps, notes: notes)
  }

  /// Those of a manifest's tables that still exist and are the same.
  func present(
    _ tables: [LeafManifest.Table], _ notes: inout [String]
  ) throws(StepFailure) -> [LeafManifest.Table] {
    var known: [String: UInt64] = [:]
    do throws(EngineError) {
      for table in try TableCatalog.current(engine.openSession("")).tables {
        known[table.uri] = table.creation
      }
    } catch {
      throw StepFailure("manifest", error)
    }
    let present = tables.filter { known[$0.uri] == $0.creation }
    if present.count < tables.count {
      let gone = tables.count - present.count
      notes.append("\(gone) tables of the manifest are gone or were created again")
    }
    return present
  }

  /// Whether this process has a table of that database open for direct I/O.
  static func readsDirectly(home: String) -> Bool {
    // The path is zero-terminated for the time of the call.
    unsafe leafcutter_reads_directly(home)
  }

  /// Sees what the program's own reads take while no leaf is read back. nil where they are not timed.
  private func watchReads() -> RefaultPace? {
    guard let hold else { return nil }
    hold.timeReads(true)
    let before = hold.reads
    agent.stop.wait(milliseconds: Int32(RefaultPace.quiet / 1_000_000))
    return RefaultPace(before: before, after: hold.reads, now: monotonicNanoseconds())
  }

  /// - Returns: how many leaves were found in the cache or read into it, and whether all of them had their turn.
  private func refault(
    _ tables: [LeafManifest.Table], _ speed: Speed, _ pace: inout RefaultPace?,
    _ notes: inout [String]
  ) -> (read: Int, isComplete: Bool) {
    let batches = tables.batches(of: DatabaseControl.batch)
    // Of what is read past the page cache nothing is to be had ahead.
    let ahead =
      speed.readsDirectly ? nil : ReadAhead(home: agent.home, tables: tables, batches: batches)
    let total = tables.leafCount
    let (next, read) = (Counter(), Counter())
    let interrupt = Signal()
    let began = monotonicNanoseconds()
    let throttle = RefaultThrottle(rate: min(speed.limit, pace?.rate ?? .infinity))
    // Not in this thread, which is the one that stops it.
    let crew = Crew(besides: "leafcutter-load", count: min(speed.threads, batches.count)) {
      [engine, hold] _ in
      hold?.readApart()
      guard let visitor = try? LeafVisitor(reading: engine) else { return }
      while case let index = next.take(1), index < batches.count, !interrupt.isRaised {
        let (table, range) = batches[index]
        guard throttle.waitForTurn(range.count, unless: interrupt) else { return }
        ahead?.turnHasCome(of: index)
        guard visitor.moves(to: tables[table].uri) else { continue }
        _ = read.take(visitor.count(tables[table].leaves, range))
        visitor.letGo()
      }
    }
    guard let crew else {
      notes.append(
        "no thread is to be had that reads leaves back; have `leafcutter-guest load` do it later")
      return (0, false)
    }
    var reported = began
    var refusals = SchemaRefusals(engine, now: began)
    var waiting = WaitingReaders(engine)
    while !crew.join(milliseconds: DatabaseControl.tick) {
      if let hold, pace != nil {
        pace?.observe(hold.reads, now: monotonicNanoseconds())
        throttle.setRate(min(speed.limit, pace?.rate ?? .infinity))
      }
      // It may take long, and a guardian that comes meanwhile has to know of the database.
      let newMigration =
        connect() && link?.hasReceived(LocalMessage.PrepareDatabase.code) ?? false
      if agent.stop.isRaised || newMigration { interrupt.raise() }
      let now = monotonicNanoseconds()
      if refusals.areNew(now: now) { throttle.pause(for: SchemaRefusals.pause) }
      if agent.stop.isRaised { waiting.letGo(now: now) }
      if now - reported > DatabaseControl.progressEvery {
        reported = now
        let progress = GuestMessage.Progress(
          activity: "refault", done: UInt64(read.taken), total: UInt64(total))
        link?.send(progress, for: migration)
      }
    }
    let hadTheirTurn = next.taken >= batches.count
    if interrupt.isRaised {
      notes.append("reading the leaves back was interrupted")
    } else if !hadTheirTurn {
      notes.append(
        """
        not all leaves were read back, because the engine has no session to spare; raise its session_max and have \
        `leafcutter-guest load` read the others
        """)
    }
    return (read.taken, hadTheirTurn && !interrupt.isRaised)
  }
}
