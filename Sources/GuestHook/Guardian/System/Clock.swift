import CGuestSystem

/// The guest's CLOCK_MONOTONIC, in nanoseconds. It stands still while the guest is stopped, and goes
/// on at the destination from where it was.
func monotonicNanoseconds() -> UInt64 { leafcutter_guest_monotonic_ns() }

extension UInt64 {
  static func milliseconds(_ count: UInt64) -> UInt64 { count * 1_000_000 }
  static func seconds(_ count: UInt64) -> UInt64 { count * 1_000_000_000 }
}
