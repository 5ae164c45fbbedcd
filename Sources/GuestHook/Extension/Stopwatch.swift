import Glibc
import HookLink

/// Times the steps of a request.
struct Stopwatch {
  private(set) var steps: [StepTime] = []
  private var last = monotonicNanoseconds()

  /// Ends a step that began where the last one ended.
  mutating func lap(_ step: String) {
    let now = monotonicNanoseconds()
    steps.append(StepTime(step: step, nanoseconds: now - last))
    last = now
  }

  /// Adds a step that ran beside the others.
  mutating func note(_ step: String, nanoseconds: UInt64) {
    steps.append(StepTime(step: step, nanoseconds: nanoseconds))
  }
}

/// CLOCK_MONOTONIC, in nanoseconds.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  // A structure of our own, alive during the call.
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
