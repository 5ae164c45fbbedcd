/// By how much QEMU overrates what its link takes: before 8.2 it reckons what is left to send by the
/// bytes that it has handed over, and dropped pages are among them (`migration.c`,
/// migration_update_counters). A downtime limit that is scaled by this factor makes the product right
/// again.
///
/// The rate of the wire is known from when the destination pushed back. While it does not push back
/// the wire may take more than that, but never less than what passes, so that a link that has become
/// faster, or a source that sends little, leaves the limit what it was.
struct DowntimeScale {
  /// The factor is computed over this time.
  static let window = Duration.seconds(1)
  /// QEMU takes its rate over a tenth of a second, and less says nothing: what comes in within a few
  /// milliseconds is what had been waiting in a socket.
  static let shortest = Duration.milliseconds(90)
  /// Where nothing is dropped the two rates differ by less than this, because one is the highest of
  /// some and the other a median.
  private static let noise = 0.9

  private struct Sample {
    var bytesIn: UInt64
    var bytesWritten: Int
    var droppedPages: Int
    var at: ContinuousClock.Instant
  }

  /// Those of the window, oldest first.
  private var samples: [Sample] = []

  /// Enters where the channels are.
  ///
  /// - Returns: more than 0 and at most 1, which it is where no page has been dropped in the window;
  ///   nil until a window is full, and where the destination has not pushed back yet.
  mutating func enter(
    _ channels: ChannelSnapshot, at now: ContinuousClock.Instant
  ) -> Double? {
    if let last = samples.last, last.at.duration(to: now) < DowntimeScale.shortest { return nil }
    samples.append(
      Sample(
        bytesIn: channels.counters.bytesIn, bytesWritten: channels.bytesWritten,
        droppedPages: channels.counters.droppedPages, at: now))
    guard let first = samples.first, first.at.duration(to: now) >= DowntimeScale.window else {
      return nil
    }
    defer { samples.removeFirst() }
    guard let rate = channels.wireRate else { return nil }
    guard channels.counters.droppedPages > first.droppedPages else { return 1 }
    let written = Double(channels.bytesWritten - first.bytesWritten)
    let capacity = max(rate, written / (first.at.duration(to: now) / .seconds(1)))
    // QEMU looks at a tenth of a second at a time, and a burst of dropped pages is what misleads it.
    let absorbed =
      zip(samples, samples.dropFirst()).map { earlier, later in
        Double(later.bytesIn - earlier.bytesIn) / (earlier.at.duration(to: later.at) / .seconds(1))
      }.max() ?? 0
    guard capacity > 0, absorbed * DowntimeScale.noise > capacity else { return 1 }
    return capacity / absorbed
  }
}
