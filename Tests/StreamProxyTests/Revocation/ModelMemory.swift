import HookLink
import Synchronization

@testable import StreamProxy

/// A guest's memory as QEMU sees it, a word for each page: what the guest writes is logged as dirty, and
/// a page is taken off that log before it is read.
final class ModelMemory: Sendable {
  final class Page: Sendable {
    private let content = Atomic<UInt64>(1)
    private let isDirty = Atomic(true)
    /// What the destination has; 0 where the page was dropped.
    let arrived = Atomic<UInt64>(.max)

    var now: UInt64 { content.load(ordering: .sequentiallyConsistent) }

    func write(_ word: UInt64) {
      content.store(word, ordering: .sequentiallyConsistent)
      isDirty.store(true, ordering: .sequentiallyConsistent)
    }

    /// What is to be sent; nil for a page that is clean.
    func takeForSending() -> UInt64? {
      isDirty.exchange(false, ordering: .sequentiallyConsistent) ? now : nil
    }
  }

  /// The first MiB is never dropped; what is held begins there, with the probe page.
  static let held = 256..<768
  static let pages = 768
  static let block = "pc.ram"

  let pages = (0..<ModelMemory.pages).map { _ in Page() }

  static var map: GuestMemoryMap {
    var map = GuestMemoryMap()
    let length = UInt64(pages) * GuestMemoryMap.pageSize
    map.blocks = [.init(name: block, usedLength: length, pageSize: GuestMemoryMap.pageSize)]
    map.segments = [
      .init(
        guestPhysicalStart: 0, length: length, block: 0, blockName: block, offsetInBlock: 0)
    ]
    map.knownBlocks = [block: length]
    return map
  }
}
