/// A stretch of the guest's physical memory that is RAM and lies in one piece in one RAM block, in
/// bytes; whole pages of ``HeldPages/pageSize``.
public struct MemorySegment: Equatable, Sendable {
  public var start: UInt64
  public var length: UInt64

  public init(start: UInt64, length: UInt64) {
    self.start = start
    self.length = length
  }

  /// The first address after it.
  ///
  /// - Precondition: it does not reach beyond the address space; one that was read does not.
  public var end: UInt64 { start + length }

  /// Reads a list: rising, disjoint, not empty, of whole pages, below 2^52 pages.
  static func read(from payload: inout PayloadReader) throws(MessageError) -> [MemorySegment] {
    var last: UInt64 = 0
    return try payload.list(
      "segments", minimumSize: 16, limit: HostMessage.Prepare.maximumSegments
    ) { reader throws(MessageError) in
      let segment = MemorySegment(
        start: try reader.integer("segment start"), length: try reader.integer("segment length"))
      let limit: UInt64 = 1 << 52
      guard segment.start % HeldPages.pageSize == 0, segment.start >= last,
        segment.start / HeldPages.pageSize < limit
      else { throw .outOfRange(field: "segment start", value: segment.start) }
      guard segment.length > 0, segment.length % HeldPages.pageSize == 0,
        segment.length / HeldPages.pageSize <= limit - segment.start / HeldPages.pageSize
      else { throw .outOfRange(field: "segment length", value: segment.length) }
      // Only one that ends where the address space does has no end in 64 bits.
      let (end, overflow) = segment.start.addingReportingOverflow(segment.length)
      guard !overflow else { throw .outOfRange(field: "segment length", value: segment.length) }
      last = end
      return segment
    }
  }
}
