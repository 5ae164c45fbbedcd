import Checksum
import LeafManifest

/// A block of a WiredTiger file, as an address cookie names it.
///
/// Formats of this file and of ``InternalPage``: WiredTiger's block_addr.c, block.h, btmem.h, cell.i and
/// intpack.i, unchanged from 3.2 to 11.3 but for what ``InternalPage/explainsDeletions`` says.
struct BlockAddress: Sendable {
  /// Bytes from the start of the file; 0 with ``size`` 0 means "no block".
  var offset: UInt64
  /// Bytes in the file.
  var size: UInt32
  var checksum: UInt32

  /// Reads a cookie: offset, size (both in units of `allocationSize`, the offset less one) and
  /// checksum, as packed integers. nil where it is none.
  init?(_ cookie: inout PackedReader, allocationSize: UInt64) {
    guard let offset = cookie.integer(), let size = cookie.integer(),
      let checksum = cookie.integer(), let exact = UInt32(exactly: checksum)
    else { return nil }
    let bytes = size.multipliedReportingOverflow(by: allocationSize)
    let start = (offset &+ 1).multipliedReportingOverflow(by: allocationSize)
    guard !bytes.overflow, !start.overflow, bytes.partialValue <= BlockAddress.maximumSize
    else { return nil }
    self.offset = bytes.partialValue == 0 ? 0 : start.partialValue
    self.size = UInt32(bytes.partialValue)
    self.checksum = exact
  }

  /// WiredTiger allows pages of up to 512 MB; an internal page of that size is damage.
  static let maximumSize: UInt64 = 512 << 20
}

/// Reads WiredTiger's packed unsigned integers from bytes that nobody vouches for.
struct PackedReader {
  let bytes: ArraySlice<UInt8>
  var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  mutating func byte() -> UInt8? {
    guard position < bytes.endIndex else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func take(_ count: UInt64) -> ArraySlice<UInt8>? {
    guard count <= UInt64(bytes.endIndex - position) else { return nil }
    defer { position += Int(count) }
    return bytes[position..<position + Int(count)]
  }

  /// One to nine bytes, by the first one's high bits; each form starts where the shorter one ends.
  mutating func integer() -> UInt64? {
    guard let first = byte() else { return nil }
    switch first & 0xf0 {
    case 0x80, 0x90, 0xa0, 0xb0: return UInt64(first & 0x3f)
    case 0xc0, 0xd0:
      guard let second = byte() else { return nil }
      return (UInt64(first & 0x1f) << 8 | UInt64(second)) + 64
    case 0xe0:
      let length = first & 0x0f
      guard length <= 8, let tail = take(UInt64(length)) else { return nil }
      return tail.reduce(0) { $0 << 8 | UInt64($1) } &+ 8256
    default: return nil
    }
  }
}

/// The image of a row-store internal page.
struct InternalPage {
  static let headerSize = 40
  private let image: [UInt8]

  enum Problem: Error {
    /// The block is not the one the cookie meant (any more), or is damaged.
    case stale
    /// It is of a kind that is not listed: compressed, encrypted, column-store.
    case unsupported
  }

  /// One child: a leaf or another internal page.
  struct Child {
    var address: BlockAddress
    var isLeaf: Bool
    /// Where its separator key lies in the page's image; nil where the key is not in the page.
    var key: Range<Int>?
  }

  /// Checks the block against the address it was read by.
  init(block: [UInt8], address: BlockAddress) throws(Problem) {
    guard block.count >= InternalPage.headerSize, block.count == Int(address.size) else {
      throw .stale
    }
    image = block
    guard word(28) == address.size, word(32) == address.checksum else { throw .stale }
    // With the block header's first flag the checksum covers all of it, else the first 64 bytes;
    // its own field counts as zero.
    let covered = block[36] & 1 != 0 ? block.count : min(64, block.count)
    var copy = block[..<covered]
    copy.replaceSubrange(32..<36, with: [0, 0, 0, 0])
    guard CRC32C.checksum(of: copy) == address.checksum else { throw .stale }
    let (type, flags) = (block[24], block[25])
    guard type == 6, flags & (InternalPage.compressed | InternalPage.encrypted) == 0 else {
      throw .unsupported
    }
    guard word(16) <= UInt32(block.count), word(16) >= UInt32(InternalPage.headerSize) else {
      throw .unsupported
    }
  }

  private static let compressed: UInt8 = 0x01
  private static let encrypted: UInt8 = 0x08
  private static let truncations: UInt8 = 0x20
  /// What the descriptor of an address says where its leaf has been deleted.
  private static let deleted: UInt8 = 0x00

  /// Where a leaf was truncated without being read, and somebody may still see it, its address says by whom and
  /// when (from 10.0 on).
  private var explainsDeletions: Bool { image[25] & InternalPage.truncations != 0 }

  func bytes(_ range: Range<Int>) -> ArraySlice<UInt8> { image[range] }

  private func word(_ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(image[offset + $1]) << UInt32($1 * 8) }
  }

  /// Calls `body` for every child in key order. The key of the first child is in the page, but is
  /// not kept up to date and means nothing: the child inherits this page's own separator.
  ///
  /// - Returns: children left out because their separator lies in an overflow block.
  func forEachChild(
    allocationSize: UInt64, _ body: (Child) throws(Problem) -> Void
  ) throws(Problem) -> Int {
    var reader = PackedReader(image[InternalPage.headerSize..<Int(word(16))])
    var key: Range<Int>?
    var isOverflow = false
    var leftOut = 0
    var children = 0
    for _ in 0..<word(20) {
      guard let descriptor = reader.byte() else { throw .unsupported }
      switch descriptor & 0x03 {
      case 0x01:
        // A key of less than 64 bytes; its length is in the descriptor.
        key = try take(UInt64(descriptor >> 2), from: &reader)
        isOverflow = false
        continue
      case 0x00: break
      default: throw .unsupported
      }
      switch descriptor & 0xf0 {
      case 0x50:
        guard let length = reader.integer() else { throw .unsupported }
        key = try take(length &+ 64, from: &reader)
        isOverflow = false
      case 0x60:
        guard let length = reader.integer() else { throw .unsupported }
        _ = try take(length, from: &reader)
        isOverflow = true
      case 0x00, 0x10, 0x20, 0x30:
        let address = try address(descriptor, from: &reader, allocationSize: allocationSize)
        let isFirst = children == 0
        children += 1
        if isOverflow && !isFirst {
          leftOut += 1
        } else if address.size > 0 && descriptor & 0xf0 != InternalPage.deleted {
          let isLeaf = descriptor & 0xf0 != 0x10
          try body(Child(address: address, isLeaf: isLeaf, key: isFirst ? nil : key))
        }
      default: throw .unsupported
      }
    }
    return leftOut
  }

  private func take(
    _ count: UInt64, from reader: inout PackedReader
  ) throws(Problem) -> Range<Int> {
    guard let bytes = reader.take(count) else { throw .unsupported }
    return bytes.startIndex..<bytes.endIndex
  }

  private func address(
    _ descriptor: UInt8, from reader: inout PackedReader, allocationSize: UInt64
  ) throws(Problem) -> BlockAddress {
    // A second descriptor byte says which timestamps and transaction numbers follow.
    if descriptor & 0x08 != 0 {
      guard let validity = reader.byte() else { throw .unsupported }
      for _ in 0..<(validity & 0x7e).nonzeroBitCount {
        guard reader.integer() != nil else { throw .unsupported }
      }
    }
    if descriptor & 0xf0 == InternalPage.deleted && explainsDeletions {
      // The transaction, its timestamp and its durable timestamp.
      for _ in 0..<3 { guard reader.integer() != nil else { throw .unsupported } }
    }
    if descriptor & 0x04 != 0 { guard reader.integer() != nil else { throw .unsupported } }
    guard let length = reader.integer(), let cookie = reader.take(length) else {
      throw .unsupported
    }
    var fields = PackedReader(cookie)
    guard let address = BlockAddress(&fields, allocationSize: allocationSize) else {
      throw .unsupported
    }
    return address
  }
}
