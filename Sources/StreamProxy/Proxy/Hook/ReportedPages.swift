import HookLink
import PageFilter

/// Enters what the guest reports, which is guest-physical pages, into the dead pages of the stream,
/// which are pages of RAM blocks.
struct ReportedPages: Sendable {
  let map: GuestMemoryMap
  let dead: DeadPages

  /// Adopts the stream's own list of blocks.
  ///
  /// - Throws: ``MismatchError`` where QMP and the stream do not agree.
  init(map: GuestMemoryMap, streamBlocks: [RAMBlock]) throws(MismatchError) {
    var map = map
    let listed = streamBlocks.map { (name: $0.name, usedLength: $0.usedLength) }
    if let mismatch = map.adopt(streamBlocks: listed) { throw MismatchError(sentence: mismatch) }
    self.map = map
    let mapped = Set(map.blocks.map(\.name))
    dead = DeadPages(
      pagesPerBlock: streamBlocks.map { block in
        mapped.contains(block.name) ? Int(block.usedLength / GuestMemoryMap.pageSize) : 0
      })
  }

  struct MismatchError: Error {
    var sentence: String
  }

  /// Enters one piece of the report; how many pages it names.
  ///
  /// - Throws: ``ReportError`` where a page is not guest RAM; nothing of the piece is entered then.
  func add(_ held: HeldPages) throws(ReportError) -> Int {
    var count = 0
    try map.forEachRun(in: held) { block, pages in
      dead.insert(Int(pages.lowerBound)..<Int(pages.upperBound), block: block)
      count += pages.count
    }
    return count
  }

  /// After the return none of these pages will be dropped; addresses that are no RAM are ignored.
  func revoke(_ range: PageRange) {
    map.forEachMappedRun(in: range) { block, pages in
      dead.remove(Int(pages.lowerBound)..<Int(pages.upperBound), block: block)
    }
  }

  func revokeAll() { dead.removeAll() }

  /// Where a guest-physical address is in the stream; nil where it is no guest RAM.
  func locate(guestPhysicalAddress address: UInt64) -> PageAddress? {
    var found: PageAddress?
    let page = PageRange(first: address / GuestMemoryMap.pageSize, count: 1)
    map.forEachMappedRun(in: page) { block, pages in
      found = PageAddress(block: block, page: Int(pages.lowerBound))
    }
    return found
  }
}
