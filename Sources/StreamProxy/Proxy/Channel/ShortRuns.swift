import Glibc
import PageFilter

/// The short runs of a packet's payload: read together, and what is kept of them written together.
///
/// A run that passes inside the kernel costs three calls, and one that ends there one, however short it
/// is; to copy a page in and out costs less than that. So where a packet is cut into many runs the short
/// ones are read, up to the next long one, which stays in the kernel: a long run that is dropped never
/// reaches this program.
@safe
struct ShortRuns: ~Copyable {
  /// A packet of as many runs is worth reading: more than one of leaves (32 KiB, eight pages) can have,
  /// for which reading and splicing cost about the same.
  static let many = 17
  /// A run of as many bytes is long.
  static let long = 64 * 1024
  /// Bytes of payload that are read before they are written; less than what a pipe holds.
  static let capacity = 128 * 1024
  /// In front of the payload: a packet's header leaves with its first pages.
  private static let headerCapacity = 4096

  private let buffer: UnsafeMutableRawBufferPointer
  private var used = 0

  init() {
    // Owned by this value, freed in deinit, used by one thread.
    unsafe buffer = .allocate(
      byteCount: ShortRuns.headerCapacity + ShortRuns.capacity, alignment: 4096)
  }

  deinit { unsafe buffer.deallocate() }

  /// Whether a run is one to read.
  static func takes(_ run: MultifdPacket.Run) -> Bool {
    switch run {
    case .forward(let count), .discard(let count): count < long
    case .mark, .probe: false
    }
  }

  /// Has a copy of a packet's header written in front of its runs.
  ///
  /// - Precondition: nothing is waiting in `writer`.
  mutating func begin(_ header: [UInt8], _ writer: inout GatheredWriter) throws(ChannelFailure) {
    precondition(header.count <= ShortRuns.headerCapacity)
    used = 0
    // Both are there in full; the ranges end at the header's length.
    unsafe buffer.copyBytes(from: header)
    try unsafe writer.add(UnsafeRawBufferPointer(rebasing: buffer[..<header.count]))
  }

  /// Reads short runs from `index` on, as far as the next run that is not short, and has what is kept of
  /// them written; all of it has been written when the buffer is full.
  ///
  /// - Returns: the run that is next, or nil where the source ended before; what came of them is written.
  mutating func carry(
    _ runs: [MultifdPacket.Run], from index: Int, of source: Socket, _ writer: inout GatheredWriter
  ) throws(ChannelFailure) -> Int? {
    var end = index
    var wanted = 0
    while end < runs.count, ShortRuns.takes(runs[end]),
      used + wanted + runs[end].count <= ShortRuns.capacity
    {
      wanted += runs[end].count
      end += 1
    }
    if end == index {
      // A short run always finds room in an empty buffer.
      try writer.flush()
      used = 0
      return index
    }
    let got = try read(wanted, of: source)
    var at = 0
    for run in runs[index..<end] {
      if case .forward(let count) = run, at < got {
        let start = ShortRuns.headerCapacity + used + at
        // Read just now, and not written over before the next flush.
        try unsafe writer.add(
          UnsafeRawBufferPointer(rebasing: buffer[start..<start + min(count, got - at)]))
      }
      at += run.count
    }
    used += wanted
    guard got == wanted else {
      try writer.flush()
      return nil
    }
    return end
  }

  /// Everything that was read has been written.
  mutating func emptied() { used = 0 }

  /// Reads after what is there; less than `count` where the source ends before.
  private func read(_ count: Int, of source: Socket) throws(ChannelFailure) -> Int {
    var got = 0
    while got < count {
      let start = ShortRuns.headerCapacity + used + got
      do throws(SystemError) {
        // Inside the buffer: `used` and `count` are together at most its capacity.
        let now = try unsafe source.read(
          into: UnsafeMutableRawBufferPointer(
            rebasing: buffer[start..<start + count - got]), flags: Int32(MSG_WAITALL))
        guard now > 0 else { break }
        got += now
      } catch {
        throw .source(error)
      }
    }
    return got
  }
}
