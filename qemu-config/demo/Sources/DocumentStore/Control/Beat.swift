import Synchronization

/// Says every 5 ms that the guest runs. It shares nothing with the database and never waits for it.
public final class Beat: Sendable {
  public static let interval: UInt64 = 5_000_000
  private let stopping = Atomic(false)
  private let thread = Mutex<RunningThread?>(nil)

  public init(_ port: ControlPort) {
    let running = RunningThread("beat", preferred: true) { [self] in
      var sequence: UInt64 = 0
      var due = MonotonicClock.now
      while !stopping.load(ordering: .relaxed) {
        MonotonicClock.sleep(until: due)
        let now = MonotonicClock.now
        sequence += 1
        port.flush(appending: "beat \(sequence) \(now)")
        // Beats that were missed are not made up for.
        due = max(due + Beat.interval, now)
      }
    }
    thread.withLock { $0 = running }
  }

  /// Ends the beat, and with it all writing to the port.
  public func stop() {
    stopping.store(true, ordering: .relaxed)
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    running?.join()
  }
}
