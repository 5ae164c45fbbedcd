import HookLink

/// What the guest's memory holds and what becomes of it, page by page: filled with its own address,
/// changed all the time, reported as held, a probe page, the mark page, or never touched.
public struct GuestContent: Sendable {
  static let pageSize = UInt64(GuestMemoryFile.pageSize)
  /// After what a source can have sent, into the sockets' buffers, before the guest was asked: a
  /// guest that is stopped does not send its mark page a second time.
  public static let markAddress: UInt64 = 28 << 20
  /// The first MiB holds the mailbox and the page tables.
  private static let lowest: UInt64 = 1 << 20
  /// The first segment's own part, before what may be held.
  private static let head: UInt64 = 32 << 20
  /// What changes in each segment.
  private static let changingLength: UInt64 = 4 << 20
  /// Of a larger segment only the beginning and the end are filled.
  private static let largest = 200 << 20
  private static let beginning: UInt64 = 96 << 20
  private static let end: UInt64 = 16 << 20

  /// Of a segment, before all that is held in it; the first has its mark page before them. Several:
  /// channels overtake one another, and what passes before the first probe is not dropped.
  private static let probeOffsets: [UInt64] = [2 << 20, 4 << 20, 6 << 20]
  private static let firstProbeOffsets: [UInt64] = [29 << 20, 30 << 20, 31 << 20]

  public enum Page: Sendable { case untouched, filled, changing, held, probe, mark }

  /// Guest-physical, by segment.
  let filled: [[Range<UInt64>]]
  let changing: [Range<UInt64>]
  /// Filled pages that are made probe pages when the guest is asked to report.
  let probes: [[UInt64]]
  public let layout: GuestLayout

  public init(_ layout: GuestLayout) {
    self.layout = layout
    var filled: [[Range<UInt64>]] = []
    var changing: [Range<UInt64>] = []
    for segment in layout.segments {
      let start = segment.start == 0 ? GuestContent.lowest : segment.start
      let limit = segment.start + UInt64(segment.length)
      // The last pages of each segment stay empty, so that every one has zero pages, too.
      let last = limit - (2 << 20)
      filled.append(
        segment.length <= GuestContent.largest
          ? [start..<last]
          : [
            start..<segment.start + GuestContent.beginning, last - GuestContent.end..<last,
          ])
      let first = segment.start == 0 ? GuestContent.head : segment.start + (8 << 20)
      changing.append(first..<first + GuestContent.changingLength)
    }
    (self.filled, self.changing) = (filled, changing)
    probes = layout.segments.map { segment in
      let offsets =
        segment.start == 0 ? GuestContent.firstProbeOffsets : GuestContent.probeOffsets
      return offsets.map { segment.start + $0 }
    }
  }

  /// What the page at an address of a segment is.
  func page(at address: UInt64, segment index: Int) -> Page {
    if address == GuestContent.markAddress { return .mark }
    if changing[index].contains(address) { return .changing }
    if probes[index].contains(address) { return .probe }
    guard filled[index].contains(where: { $0.contains(address) }) else { return .untouched }
    return isHeld(address, index) ? .held : .filled
  }

  /// Three quarters of the groups of 16 pages, in an order that never repeats, so that no stretch of
  /// held pages could be taken for another.
  private func isHeld(_ address: UInt64, _ index: Int) -> Bool {
    guard address >= changing[index].upperBound else { return false }
    let group = address / GuestContent.pageSize / 16
    // Multiplicative hashing: the upper bits depend on all of the group's number.
    return (group &* 0x9e37_79b9_7f4a_7c15) >> 62 != 0
  }

  /// How many pages are held.
  public var heldPages: Int {
    layout.segments.indices.reduce(0) { sum, index in
      var count = 0
      forEachHeldPage(ofSegment: index) { _ in count += 1 }
      return sum + count
    }
  }

  func forEachHeldPage(ofSegment index: Int, _ body: (UInt64) -> Void) {
    for range in filled[index] {
      for address in stride(
        from: range.lowerBound, to: range.upperBound, by: Int(GuestContent.pageSize))
      where page(at: address, segment: index) == .held { body(address) }
    }
  }

  /// The report of everything that is held, in pieces.
  func heldPieces() -> [HeldPages] {
    layout.segments.indices.flatMap { index in
      filled[index].compactMap { range in
        // Pieces begin and end at multiples of this.
        let piece: UInt64 = 2 << 20
        let first = range.lowerBound / piece * piece
        let end = (range.upperBound + piece - 1) / piece * piece
        var bitmap = [UInt8](
          repeating: 0, count: Int((end - first) / GuestContent.pageSize / 8))
        for address in stride(from: first, to: end, by: Int(GuestContent.pageSize))
        where page(at: address, segment: index) == .held {
          let number = Int((address - first) / GuestContent.pageSize)
          bitmap[number / 8] |= 1 << UInt8(number % 8)
        }
        let held = HeldPages(firstPage: first / GuestContent.pageSize, bitmap: bitmap)
        return held.count > 0 ? held : nil
      }
    }
  }
}
