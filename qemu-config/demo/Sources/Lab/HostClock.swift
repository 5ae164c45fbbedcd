import Glibc

/// The host's CLOCK_MONOTONIC, by which everything in the laboratory is timed: a guest's own clock
/// stands still while the guest is stopped.
public enum HostClock {
  /// Nanoseconds.
  public static var now: UInt64 {
    var time = timespec()
    // Filled in by the call, which cannot fail for this clock.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Seconds from one time of this clock to a later one; negative when it is earlier.
  public static func seconds(from start: UInt64, to end: UInt64) -> Double {
    Double(Int64(bitPattern: end &- start)) / 1e9
  }

  /// Blocks the calling thread.
  public static func sleep(_ seconds: Double) {
    usleep(UInt32(max(0, seconds) * 1e6))
  }

  /// Asks `condition` every `interval` seconds until it gives a value, at most for `timeout` seconds.
  ///
  /// - Returns: nil when the time is over.
  public static func poll<Value, Failure: Error>(
    every interval: Double, for timeout: Double,
    _ condition: () throws(Failure) -> Value?
  ) throws(Failure) -> Value? {
    let deadline = now + UInt64(timeout * 1e9)
    while true {
      if let value = try condition() { return value }
      guard now < deadline else { return nil }
      sleep(interval)
    }
  }
}
