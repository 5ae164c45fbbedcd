/// Which RAM block, and which offset in it, a guest-physical page is.
///
/// Built from QEMU's own description over QMP, anew for each migration (memory cannot be plugged
/// while one runs). Guest RAM is only what satisfies all of:
/// - it is mapped in the address space `memory` with type `ram` (never `rom`, `nv-ram` or `ramd`);
/// - the memory region is a memory backend's (query-memdev), which firmware, video memory and
///   option ROMs are not, though some of them are mapped as `ram` (microvm's `pc.bios`, a VGA's
///   frame buffer);
/// - exactly one RAM block has its name, alone or after a device path (virtio-mem);
/// - where the backend belongs to a memory device, it lies where query-memory-devices says;
/// - it lies at or above 1 MiB.
struct GuestMemoryMap: Equatable, Sendable {
  static let pageSize: UInt64 = 4096
  /// The first MiB is never taken for dead: firmware shadows and video memory come and go there.
  static let lowestAddress: UInt64 = 1 << 20

  /// A RAM block that holds guest RAM.
  struct Block: Equatable, Sendable {
    /// As in the stream, e.g. `pc.ram` or `0000:00:02.0/vmem0`.
    var name: String
    var usedLength: UInt64
    /// Bytes; more than 4096 for huge pages.
    var pageSize: UInt64
  }

  /// A stretch of guest-physical memory that lies in one piece in one block; bounds are multiples of
  /// ``pageSize``.
  struct Segment: Equatable, Sendable {
    var guestPhysicalStart: UInt64
    var length: UInt64
    /// The block's index in ``GuestMemoryMap/blocks``.
    var block: Int
    var blockName: String
    var offsetInBlock: UInt64

    var end: UInt64 { guestPhysicalStart + length }
  }

  /// What else is mapped as memory, to say what a wrong address is.
  struct OtherMemory: Equatable, Sendable {
    var first: UInt64
    var last: UInt64
    var name: String
  }

  var blocks: [Block] = []
  /// By rising address, disjoint.
  var segments: [Segment] = []
  var otherMemory: [OtherMemory] = []
  /// Names and used lengths of all RAM blocks that QEMU has, guest RAM or not.
  var knownBlocks: [String: UInt64] = [:]
  /// For each of ``blocks`` its place in the stream's list, nil where the stream does not list it;
  /// empty until ``adopt(streamBlocks:)``.
  var streamIndices: [Int?] = []

  /// By bisection.
  func segment(at address: UInt64) -> Segment? {
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    guard low < segments.count, segments[low].guestPhysicalStart <= address else { return nil }
    return segments[low]
  }

  // MARK: The stream's own list

  /// Compares with the stream's block list (MEM_SIZE, in the START section of `ram`).
  ///
  /// - Returns: nil when they agree, otherwise one sentence on why nothing may be edited. Lengths
  ///   of ROM blocks are not compared: QEMU resizes them while the guest boots. A block of guest RAM
  ///   may be missing from the stream (one that is not migrated); a report that names a page in it
  ///   is refused.
  func check(against streamBlocks: [(name: String, usedLength: UInt64)]) -> String? {
    var seen: Set<String> = []
    for block in streamBlocks {
      guard seen.insert(block.name).inserted else {
        return "the stream lists the RAM block \(block.name) twice"
      }
      guard let length = knownBlocks[block.name] else {
        return "the stream lists the RAM block \(block.name), which QEMU did not name over QMP"
      }
      if length != block.usedLength, blocks.contains(where: { $0.name == block.name }) {
        return """
          the stream gives the RAM block \(block.name) \(block.usedLength) bytes, and QEMU gave it \
          \(length) over QMP
          """
      }
    }
    guard blocks.contains(where: { seen.contains($0.name) }) else {
      return "the stream lists none of the RAM blocks that QEMU maps as guest RAM"
    }
    return nil
  }

  /// Makes ``forEachRun(in:_:)`` count blocks as the stream does: from now on a block index is the
  /// place in this list.
  ///
  /// - Returns: as ``check(against:)``; the map is unchanged when that is not nil.
  mutating func adopt(
    streamBlocks: [(name: String, usedLength: UInt64)]
  ) -> String? {
    if let mismatch = check(against: streamBlocks) { return mismatch }
    streamIndices = blocks.map { block in
      streamBlocks.firstIndex { $0.name == block.name }
    }
    return nil
  }
}
