import Synchronization

/// A running workload: paced clients, each on a thread of its own.
public final class Workload: Sendable {
  /// What a workload did from start to halt.
  public struct Sums: Equatable, Sendable {
    public var reads = 0
    public var writes = 0
    public var errors = 0
    public var rollbacks = 0
  }

  private let stopping = Atomic(false)
  private let sums = Mutex(Sums())
  private let faults: FaultLog
  private let log: OperationsLog
  private let threads = Mutex<[RunningThread]>([])

  /// Starts the clients and returns at once.
  ///
  /// - Throws: ``DatabaseError`` where a client cannot open its cursors; nothing runs then.
  public init(
    _ store: Store, _ order: WorkloadOrder, log: OperationsLog, faults: FaultLog
  ) throws(DatabaseError) {
    self.log = log
    self.faults = faults
    // Tried out here, so that the answer to `run` says what is wrong.
    let trial = try Client(store)
    trial.close()
    let keys = RecordKeys(order.keys, documents: store.shape.documents)
    let start = MonotonicClock.now
    threads.withLock { threads in
      threads = (0..<order.threads).map { number in
        RunningThread("client-\(number)") { [self] in
          let pacer = Pacer(
            rate: order.rate, client: number, of: order.threads, start: start)
          let random = SplitMix64(seed: SplitMix64.mix(order.seed) &+ UInt64(number))
          do throws(DatabaseError) {
            let client = try Client(store)
            operate(client, pacer, keys, random, updates: order.mix.shareOfUpdates)
            client.close()
          } catch {
            faults.note(.database(error))
          }
        }
      }
    }
  }

  /// Stops the clients, waits for them and says what was done.
  public func halt() -> Sums {
    stopping.store(true, ordering: .relaxed)
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in running { thread.join() }
    return sums.withLock { $0 }
  }

  private func operate(
    _ client: Client, _ schedule: Pacer, _ keys: RecordKeys, _ seed: SplitMix64, updates: Double
  ) {
    var pacer = schedule
    var random = seed
    var mine = Sums()
    while !stopping.load(ordering: .relaxed) {
      let due = pacer.next(now: MonotonicClock.now)
      sleep(until: due)
      let recordID = keys.next(&random)
      let kind: OperationsLog.Kind = random.nextUnit() < updates ? .write : .read
      var failed = false
      do {
        switch kind {
        case .read:
          mine.reads += 1
          try client.read(recordID)
        case .write:
          mine.writes += 1
          try client.update(recordID)
        }
      } catch {
        failed = true
        mine.errors += 1
        faults.note(error, recordID: recordID)
      }
      log.record(kind, due: due, now: MonotonicClock.now, failed: failed)
    }
    mine.rollbacks = client.rollbacks
    sums.withLock { sums in
      sums.reads += mine.reads
      sums.writes += mine.writes
      sums.errors += mine.errors
      sums.rollbacks += mine.rollbacks
    }
  }

  /// In steps, so that a slow schedule does not keep `halt` waiting.
  private func sleep(until due: UInt64) {
    while !stopping.load(ordering: .relaxed) {
      let now = MonotonicClock.now
      guard now < due else { return }
      MonotonicClock.sleep(until: min(due, now + 100_000_000))
    }
  }
}
