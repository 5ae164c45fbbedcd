/// One of several equal parts of a table, for scanning it with several threads.
struct ScanRange: Sendable {
  let part: Int
  let parts: Int

  /// The record ids of the collection in this part.
  func ids(_ documents: Int64) -> ClosedRange<Int64>? {
    let first = documents * Int64(part) / Int64(parts) + 1
    let last = documents * Int64(part + 1) / Int64(parts)
    return first <= last ? first...last : nil
  }

  /// The first hash of this part and that of the next; the index is spread evenly over the hashes.
  var hashes: (from: UInt64, before: UInt64?) {
    let width = UInt64.max / UInt64(parts)
    return (width * UInt64(part), part + 1 == parts ? nil : width * UInt64(part + 1))
  }
}
