/// The rate at which the destination takes bytes, measured only while it pushes back: an idle wire
/// would give a rate at which no migration ever converges.
///
/// Time is cut into windows of at least 100 ms (QEMU's own, `migration.c`, BUFFER_DELAY). A window
/// counts when writing was blocked for at least half of it.
struct WireRate {
  private static let window = Duration.milliseconds(100)
  private static let remembered = 10

  private var start: ContinuousClock.Instant
  private var bytes = 0
  private var blocked = Duration.zero
  private var samples: [Double] = []

  init(now: ContinuousClock.Instant) { start = now }

  /// Median of the last ten windows that counted, in bytes per second; nil before the first. It is
  /// asked for after every write, so it is found when a window ends.
  private(set) var bytesPerSecond: Double?
  /// How many windows have counted.
  private(set) var windows = 0
  /// What the destination is known to take, in bytes per second: what it took in the last window that
  /// counted, or more where more has passed since without its pushing back. nil in the first window.
  private(set) var capacity: Double?

  /// Enters one write: how much it moved, when it ended, and for how long it was blocked before.
  mutating func wrote(
    _ count: Int, at now: ContinuousClock.Instant, blockedFor wait: Duration
  ) {
    bytes += count
    blocked += wait
    let length = start.duration(to: now)
    guard length >= WireRate.window else { return }
    let sample = Double(bytes) / (length / .seconds(1))
    if blocked * 2 < length {
      capacity = max(capacity ?? 0, sample)
    } else {
      capacity = sample
      windows += 1
      if samples.count < WireRate.remembered {
        samples.append(sample)
      } else {
        samples[(windows - 1) % WireRate.remembered] = sample
      }
      bytesPerSecond = samples.sorted()[samples.count / 2]
    }
    start = now
    bytes = 0
    blocked = .zero
  }
}
