import Synchronization

/// Says every 5 ms that the guest runs. It shares nothing with the database and never waits for it.
public final class Beat: Sendable {
  public static let interval: UInt64 = 5_000_000
  private let stopping = Atomic(false)
  private let thread = Mutex<RunningThread?>(nil)

  public init(_ port: ControlPort) {
    let running = RunningThread("beat", preferred: true) { [self] in
      var sequence: UInt64 = 0
      // One buffer for all lines: an allocator that is giving memory back may keep its callers waiting.
      var line = BeatLine()
      var due = MonotonicClock.now
      while !stopping.load(ordering: .relaxed) {
        MonotonicClock.sleep(until: due)
        let now = MonotonicClock.now
        sequence += 1
        line.set(sequence, now)
        port.flush(appending: line.bytes)
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

/// `beat SEQUENCE NANOSECONDS` with its newline, written again and again without allocating.
struct BeatLine {
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(64) }

  mutating func set(_ sequence: UInt64, _ now: UInt64) {
    bytes.removeAll(keepingCapacity: true)
    for byte in "beat ".utf8 { bytes.append(byte) }
    append(sequence)
    bytes.append(UInt8(ascii: " "))
    append(now)
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func append(_ number: UInt64) {
    let first = bytes.count
    var rest = number
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[first...].reverse()
  }
}
