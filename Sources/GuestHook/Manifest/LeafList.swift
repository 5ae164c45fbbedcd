/// Leaf pages of one table: for each its separator key, where its block lies in the table's file and
/// how long that is. Columns in a few arrays, because there are many leaves and they are listed while
/// somebody waits.
public struct LeafList: Equatable, Sendable {
  /// Bytes from the start of the file.
  public private(set) var offsets: [UInt64] = []
  /// Bytes of the block in the file.
  public private(set) var sizes: [UInt32] = []
  /// Where each leaf's key ends in ``keyBytes``; it starts where the one before ends.
  public private(set) var keyEnds: [Int] = []
  /// All keys, one after another, in the raw form in which WiredTiger stores them.
  public private(set) var keyBytes: [UInt8] = []

  public init() {}

  public var count: Int { offsets.count }

  /// Adds a leaf. A search for `key` ends in that leaf; the leftmost leaf's key is empty.
  public mutating func append(offset: UInt64, size: UInt32, key: some Sequence<UInt8>) {
    offsets.append(offset)
    sizes.append(size)
    keyBytes.append(contentsOf: key)
    keyEnds.append(keyBytes.count)
  }

  public mutating func append(contentsOf other: LeafList) {
    let base = keyBytes.count
    offsets.append(contentsOf: other.offsets)
    sizes.append(contentsOf: other.sizes)
    keyBytes.append(contentsOf: other.keyBytes)
    keyEnds.append(contentsOf: other.keyEnds.lazy.map { base + $0 })
  }

  public mutating func reserveCapacity(_ leaves: Int, keyBytes bytes: Int) {
    offsets.reserveCapacity(leaves)
    sizes.reserveCapacity(leaves)
    keyEnds.reserveCapacity(leaves)
    keyBytes.reserveCapacity(bytes)
  }

  /// The first `count` leaves, or all where there are no more.
  public func first(_ count: Int) -> LeafList {
    guard count < self.count else { return self }
    var result = LeafList()
    result.offsets = Array(offsets[..<count])
    result.sizes = Array(sizes[..<count])
    result.keyEnds = Array(keyEnds[..<count])
    result.keyBytes = Array(keyBytes[..<(keyEnds[..<count].last ?? 0)])
    return result
  }

  /// The place of a leaf's key in ``keyBytes``.
  public func keyRange(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : keyEnds[index - 1])..<keyEnds[index]
  }

  /// The leaves for which `isIncluded` holds, in the order of their place in the file.
  public func inOffsetOrder(where isIncluded: (Int) -> Bool) -> LeafList {
    let order = (0..<count).filter(isIncluded).sorted { offsets[$0] < offsets[$1] }
    var result = LeafList()
    result.reserveCapacity(order.count, keyBytes: keyBytes.count)
    for index in order {
      result.append(
        offset: offsets[index], size: sizes[index], key: keyBytes[keyRange(index)])
    }
    return result
  }
}
