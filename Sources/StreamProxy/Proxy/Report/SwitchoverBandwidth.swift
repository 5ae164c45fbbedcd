/// What QEMU is to reckon with when it decides whether what is left fits into its downtime limit: it
/// stops the guest when (pages left) ÷ (bandwidth) is below the limit (`migration.c`,
/// migration_iteration_run), and reckons with nothing else.
///
/// Something else there is: the bytes that the proxy has absorbed and that are still under way, and what
/// follows the pages: the judgement, device states, the start at the destination. So QEMU is told less
/// than the wire takes, by the share of the limit that they need.
enum SwitchoverBandwidth {
  /// What follows the pages took 20 to 40 ms with real guests, 10 ms more than without a proxy.
  private static let afterThePages = 0.025
  /// A small limit or a slow wire must not keep a migration from converging.
  private static let largestShare = 0.2

  /// - Parameters:
  ///   - wire: what the wire takes, in bytes per second.
  ///   - inFlight: bytes that may be absorbed and not yet sent.
  ///   - downtimeLimit: the source's, in milliseconds.
  /// - Returns: bytes per second; never 0, which would leave it to QEMU's own estimate.
  static func bytesPerSecond(wire: Double, inFlight: Int, downtimeLimit: UInt64) -> UInt64 {
    guard wire > 0, downtimeLimit > 0 else { return max(1, UInt64(max(0, wire))) }
    let needed = Double(inFlight) / wire + afterThePages
    let share = min(needed * 1000 / Double(downtimeLimit), largestShare)
    return max(1, UInt64((wire * (1 - share)).rounded()))
  }
}
