import Lab

/// How long the host takes to read memory at random. An emulated guest is as fast as that, and where the
/// host is a virtual machine itself it differs from hour to hour.
enum MemoryLatency {
  /// 256 MiB of 4-byte entries: more than any processor's cache.
  private static let size = 1 << 26
  private static let reads = 500_000

  /// Nanoseconds that one read takes when it waits for the one before it.
  static func nanoseconds() -> Double {
    // Entries name each other in the order of a linear congruential generator of full period (Hull and
    // Dobell, 1962): 4 divides the factor less one, and the addend is odd.
    var following = [UInt32](repeating: 0, count: size)
    for index in 0..<size {
      following[index] = (UInt32(index) &* 747_796_405 &+ 12_345_679) % UInt32(size)
    }
    let start = HostClock.now
    var entry: UInt32 = 0
    for _ in 0..<reads { entry = following[Int(entry)] }
    let elapsed = HostClock.now - start
    // What was read is used, or nothing would be read.
    return Double(elapsed) / Double(reads) + (entry == UInt32(size) ? 1 : 0)
  }
}
