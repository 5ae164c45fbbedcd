import Glibc

/// CLOCK_MONOTONIC in nanoseconds; in a guest it stands still while the guest is stopped.
public enum MonotonicClock {
  public static var now: UInt64 {
    var time = timespec()
    // A valid clock and a local to write to: cannot fail.
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Sleeps until the clock shows `time`; returns at once where it has passed.
  public static func sleep(until time: UInt64) {
    var wake = timespec(
      tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
    // The time is alive during the call, and the remainder is not asked for.
    while unsafe clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nil) == EINTR {}
  }
}
