import HookLink

/// Chooses the held frames that are to become ``ProbePage``s: a few in each segment of the guest's
/// memory that holds any.
///
/// The proxy drops nothing of a segment before one of its probes has crossed, and QEMU sends a segment
/// from its beginning, so the lowest frame is one. But what QEMU had sent before the guest was asked
/// crosses in the next round only; so there are others, each about twice as far from the beginning as
/// the one before, and little is lost wherever QEMU has come to.
struct ProbeCandidates {
  /// Where a held frame is in a process's memory.
  struct Place: Equatable {
    /// Guest-physical page number.
    var frame: UInt64
    /// Virtual address.
    var address: UInt64
    /// Whose: the index of the database.
    var database: Int
  }

  /// Every so many held pages one is looked at more closely.
  private static let stride = 256
  private static let halvings = 7

  private struct Segment {
    var pages: Range<UInt64>
    var lowest: Place?
    var sample: [Place] = []
  }

  private var segments: [Segment]
  private var last = 0
  private var untilNext = stride

  /// - Parameter segments: rising and disjoint.
  init(_ segments: [MemorySegment]) {
    self.segments = segments.map {
      Segment(pages: $0.start / HeldPages.pageSize..<$0.end / HeldPages.pageSize)
    }
  }

  /// Takes a held page in; false where its frame lies in no segment.
  mutating func add(_ place: Place) -> Bool {
    // Neighbouring pages mostly lie in one segment.
    if segments.isEmpty || !segments[last].pages.contains(place.frame) {
      guard let found = segment(of: place.frame) else { return false }
      last = found
    }
    if place.frame < segments[last].lowest?.frame ?? .max { segments[last].lowest = place }
    untilNext -= 1
    if untilNext == 0 {
      untilNext = ProbeCandidates.stride
      segments[last].sample.append(place)
    }
    return true
  }

  /// By bisection.
  private func segment(of frame: UInt64) -> Int? {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].pages.upperBound <= frame { low = middle + 1 } else { high = middle }
    }
    return low < segments.count && segments[low].pages.contains(frame) ? low : nil
  }

  /// The chosen ones, by rising frame, each once.
  var chosen: [Place] {
    var chosen: [Place] = []
    for segment in segments {
      guard let lowest = segment.lowest else { continue }
      chosen.append(lowest)
      let sorted = segment.sample.sorted { $0.frame < $1.frame }
      for halving in (1...ProbeCandidates.halvings).reversed() where !sorted.isEmpty {
        let place = sorted[sorted.count >> halving]
        if place.frame > chosen[chosen.count - 1].frame { chosen.append(place) }
      }
    }
    return Array(chosen.prefix(GuestMessage.ReportEnd.maximumProbes))
  }
}
