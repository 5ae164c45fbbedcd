import Glibc
import HookLink
import LeafManifest

/// RESUME and LOAD: the cache gets its size and its leaves back.
extension DatabaseControl {
  /// Leaves that one thread reads before it takes the next, neighbours in the file.
  private static let batch = 16
  private static let progressEvery: UInt64 = 500_000_000

  /// - Parameters:
  ///   - threads: how many read; with 0 nothing is read back.
  ///   - rate: leaves per second over all threads; 0 means as fast as it goes.
  func resume(threads: UInt32, rate: UInt32) throws(StepFailure) -> LocalMessage.DatabaseResumed {
    guard !isHolding else {
      throw StepFailure("resume", "the held frames have not been released; release them first")
    }
    let prepared = shrunk != nil
    restoreCache()
    guard prepared else { throw StepFailure("resume", "the database has not been prepared") }
    guard hold != nil else {
      return LocalMessage.DatabaseResumed(
        leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0, steps: [],
        notes: ["no leaves were listed, so none are read back"])
    }
    guard threads > 0 else {
      return LocalMessage.DatabaseResumed(
        leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0, steps: [],
        notes: ["the guardian was started with --no-refault, so no leaves are read back"])
    }
    return try load(threads: threads, rate: rate)
  }

  func load(threads: UInt32, rate: UInt32) throws(StepFailure) -> LocalMessage.DatabaseResumed {
    guard shrunk == nil else {
      throw StepFailure("load", "the cache has been evicted for a migration; load when it is over")
    }
    var watch = Stopwatch()
    var notes: [String] = []
    let manifest = try readManifest()
    let tables = try presentTables(of: manifest, &notes)
    watch.lap("read manifest")
    let threads = Int(min(max(threads, 1), 64))
    let refaulted = refault(tables, threads: threads, rate: rate, &notes)
    watch.lap("refault")
    var resident = refaulted
    if let hold {
      func probe() -> Residency {
        Residency(of: tables, engine: engine, hold: hold, threads: threads, stop: agent.stop)
      }
      var residency = probe()
      // What the engine had queued for eviction while its cache was small went when it had been read.
      // Where it is much, there is no room for it.
      let gone = refaulted - residency.resident
      if gone > 0, gone < refaulted / 2 {
        let missing = residency.leaves(of: tables, inCache: false)
        _ = refault(missing, threads: threads, rate: rate, &notes)
        residency = probe()
      }
      resident = residency.resident
      watch.lap("probe")
    } else {
      notes.append("without libleafcutter_hold.so, leaves are not asked for whether they stayed")
    }
    return LocalMessage.DatabaseResumed(
      leavesInManifest: UInt64(manifest.leafCount), leavesRefaulted: UInt64(refaulted),
      leavesResident: UInt64(resident), steps: watch.steps, notes: notes)
  }

  /// The manifest's tables that still exist and are the same.
  private func presentTables(
    of manifest: LeafManifest, _ notes: inout [String]
  ) throws(StepFailure) -> [LeafManifest.Table] {
    var known: [String: UInt64] = [:]
    do throws(EngineError) {
      for table in try TableCatalog(engine.openSession("")).tables {
        known[table.uri] = table.creation
      }
    } catch {
      throw StepFailure("manifest", error)
    }
    let present = manifest.tables.filter { known[$0.uri] == $0.creation }
    if present.count < manifest.tables.count {
      let gone = manifest.tables.count - present.count
      notes.append("\(gone) tables of the manifest are gone or were created again")
    }
    return present
  }

  private func refault(
    _ tables: [LeafManifest.Table], threads: Int, rate: UInt32, _ notes: inout [String]
  ) -> Int {
    let batches = tables.indices.flatMap { table in
      stride(from: 0, to: tables[table].leaves.count, by: DatabaseControl.batch).map {
        (table, $0..<min($0 + DatabaseControl.batch, tables[table].leaves.count))
      }
    }
    let total = tables.reduce(0) { $0 + $1.leaves.count }
    let (next, taken, read) = (Counter(), Counter(), Counter())
    let interrupt = Signal()
    let began = monotonicNanoseconds()
    let crew = Crew("leafcutter-load", count: min(threads, batches.count)) { [engine] _ in
      guard let visitor = try? LeafVisitor(engine, "") else { return }
      while case let index = next.take(1), index < batches.count, !interrupt.isRaised {
        let (table, range) = batches[index]
        let before = taken.take(range.count)
        if rate > 0 {
          let due = began + UInt64(before) * 1_000_000_000 / UInt64(rate)
          let now = monotonicNanoseconds()
          if due > now, interrupt.wait(milliseconds: Int32(clamping: (due - now) / 1_000_000)) {
            return
          }
        }
        guard visitor.moves(to: tables[table].uri) else { continue }
        _ = read.take(DatabaseControl.visit(tables[table].leaves, range, visitor))
      }
    }
    var reported = began
    while !crew.join(milliseconds: 50) {
      let newMigration = link?.hasReceived(LocalMessage.PrepareDatabase.code) ?? false
      if agent.stop.isRaised || newMigration { interrupt.raise() }
      let now = monotonicNanoseconds()
      if now - reported > DatabaseControl.progressEvery {
        reported = now
        let progress = GuestMessage.Progress(
          activity: "refault", done: UInt64(read.taken), total: UInt64(total))
        link?.send(progress, for: migration)
      }
    }
    if interrupt.isRaised { notes.append("reading the leaves back was interrupted") }
    return read.taken
  }

  private static func visit(_ leaves: LeafList, _ range: Range<Int>, _ visitor: LeafVisitor) -> Int
  {
    unsafe leaves.keyBytes.withUnsafeBytes { keys in
      range.count { leaf in
        // Key ranges lie within the key bytes, which are alive during the call.
        let key = unsafe UnsafeRawBufferPointer(rebasing: keys[leaves.keyRange(leaf)])
        return unsafe visitor.visit(key) == 0
      }
    }
  }
}
