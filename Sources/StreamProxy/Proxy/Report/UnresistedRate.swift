/// The fastest that bytes have passed since the destination pushed back last: the wire takes at least as
/// much. What it takes at most is only seen while it pushes back (``WireRate``), so a wire that was slow
/// for a while and is fast again would never be known for it.
struct UnresistedRate {
  /// QEMU's bursts are shorter, and what comes in one may fit into the sockets.
  private static let window = Duration.seconds(1)

  private struct Sample {
    var bytes: Int
    var at: ContinuousClock.Instant
  }

  /// Those of the window, oldest first.
  private var samples: [Sample] = []
  private var windows = 0
  /// Bytes per second; 0 until a window is full.
  private(set) var bytesPerSecond = 0.0

  /// Enters where the channels are.
  mutating func enter(_ channels: ChannelSnapshot, at now: ContinuousClock.Instant) {
    if channels.wireWindows != windows {
      windows = channels.wireWindows
      samples.removeAll()
      bytesPerSecond = 0
    }
    samples.append(Sample(bytes: channels.bytesWritten, at: now))
    guard let first = samples.first, first.at.duration(to: now) >= UnresistedRate.window else {
      return
    }
    samples.removeFirst()
    let passed = Double(channels.bytesWritten - first.bytes)
    bytesPerSecond = max(bytesPerSecond, passed / (first.at.duration(to: now) / .seconds(1)))
  }
}
