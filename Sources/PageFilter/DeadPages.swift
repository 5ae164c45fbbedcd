import Synchronization

/// Which target pages need not cross: one bit per page of every RAM block that can hold any.
///
/// The threads of all channels read bits while another (the hook link's) clears them. Clearing is
/// linearizable: ``remove(_:block:)`` uses sequentially consistent operations, so a page record that
/// is looked up after it has returned is not found. Whoever acknowledges a revocation after the
/// removal may therefore tell the guest that it can write: QEMU clears a page's dirty bit before it
/// puts the record on the wire, so a record that was looked up before the removal was logged clean
/// before the guest's write, and the write makes the page dirty and sent again.
public final class DeadPages: Sendable {
  /// The words of one block; allocated when the object is created and freed with it.
  @safe
  private struct Words: @unchecked Sendable {
    let pages: Int
    /// nil where the block holds no bits.
    let first: UnsafeMutablePointer<Atomic<UInt64>>?

    var count: Int { (pages + 63) / 64 }
  }

  /// One block's bits, for an editor that looks up page after page of it. It keeps them alive.
  @safe
  struct Block: @unchecked Sendable {
    private let pages: Int
    private let words: UnsafeMutablePointer<Atomic<UInt64>>?
    private let owner: DeadPages?

    /// A block in which no page is dead.
    static let empty = unsafe Block(pages: 0, words: nil, owner: nil)

    fileprivate init(of owner: DeadPages, _ index: Int) {
      let words = owner.blocks[index]
      unsafe self.init(pages: words.pages, words: words.first, owner: owner)
    }

    private init(pages: Int, words: UnsafeMutablePointer<Atomic<UInt64>>?, owner: DeadPages?) {
      self.pages = pages
      unsafe self.words = words
      self.owner = owner
    }

    /// Whether a page is dead now; none is outside the block.
    @inline(__always)
    func contains(_ page: Int) -> Bool {
      guard let words = unsafe words, UInt(bitPattern: page) < UInt(bitPattern: pages) else {
        return false
      }
      // The page is one of the block's, so the block has a word for it, and `owner` keeps the words.
      return unsafe words[page &>> 6].load(ordering: .acquiring) &>> UInt64(page & 63) & 1 == 1
    }
  }

  private let blocks: [Words]

  /// - Parameter pagesPerBlock: how many bits each block of the stream gets, in the stream's order;
  ///   0 for blocks in which nothing may be dropped.
  public init(pagesPerBlock: [Int]) {
    blocks = pagesPerBlock.map { pages in
      guard pages > 0 else { return unsafe Words(pages: 0, first: nil) }
      let count = (pages + 63) / 64
      // Every word is initialised before anybody sees the object.
      let words = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: count)
      for index in 0..<count { unsafe (words + index).initialize(to: Atomic(0)) }
      return unsafe Words(pages: pages, first: words)
    }
  }

  deinit {
    for block in blocks {
      guard let words = unsafe block.first else { continue }
      unsafe words.deinitialize(count: block.count)
      unsafe words.deallocate()
    }
  }

  /// The bits of the block at `index` of the stream's list; none are set where the list is shorter.
  func block(_ index: Int) -> Block {
    blocks.indices.contains(index) ? Block(of: self, index) : .empty
  }

  /// Adds the pages whose bits are set in `bits`: bit n stands for page `page + n`.
  ///
  /// - Precondition: `page` is a multiple of 64, and no bit stands for a page outside the block.
  public func insert(bits: UInt64, at page: Int, block: Int) {
    precondition(page >= 0 && page % 64 == 0, "no word begins there")
    let target = blocks[block]
    guard bits != 0 else { return }
    precondition(page + 63 - bits.leadingZeroBitCount < target.pages, "outside the block")
    // Checked just above.
    _ = unsafe target.first![page / 64].bitwiseOr(bits, ordering: .sequentiallyConsistent)
  }

  /// Adds a run of pages.
  ///
  /// - Precondition: the run lies inside the block.
  public func insert(_ range: Range<Int>, block: Int) {
    requireInside(range, block)
    forEachWord(of: range) { page, bits in insert(bits: bits, at: page, block: block) }
  }

  /// Adds those pages of a run that are in `other`, which has the same blocks.
  ///
  /// - Precondition: the run lies inside the block.
  public func insert(_ range: Range<Int>, block: Int, of other: DeadPages) {
    other.requireInside(range, block)
    forEachWord(of: range) { page, bits in
      // Inside the block, so there are words.
      let there = unsafe other.blocks[block].first![page / 64].load(ordering: .acquiring)
      insert(bits: bits & there, at: page, block: block)
    }
  }

  /// How many pages of a run are dead now.
  ///
  /// - Precondition: the run lies inside the block.
  public func count(_ range: Range<Int>, block: Int) -> Int {
    requireInside(range, block)
    var count = 0
    forEachWord(of: range) { page, bits in
      // As above.
      let there = unsafe blocks[block].first![page / 64].load(ordering: .relaxed)
      count += (bits & there).nonzeroBitCount
    }
    return count
  }

  /// Takes pages out; after the return no lookup finds them. What lies outside the block is ignored.
  public func remove(_ range: Range<Int>, block: Int) {
    let target = blocks[block]
    forEachWord(of: range.clamped(to: 0..<target.pages)) { page, bits in
      // Clamped to the block above.
      _ = unsafe target.first![page / 64].bitwiseAnd(~bits, ordering: .sequentiallyConsistent)
    }
  }

  /// Takes every page out.
  public func removeAll() {
    for (index, block) in blocks.enumerated() { remove(0..<block.pages, block: index) }
  }

  /// Whether a page is dead now; none is outside its block.
  public func contains(_ page: Int, block: Int) -> Bool { self.block(block).contains(page) }

  /// How many pages are dead now.
  public var count: Int {
    blocks.reduce(0) { total, block in
      guard let words = unsafe block.first else { return total }
      return (0..<block.count).reduce(total) {
        // Below the number of words.
        unsafe $0 + words[$1].load(ordering: .relaxed).nonzeroBitCount
      }
    }
  }

  private func requireInside(_ range: Range<Int>, _ block: Int) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= blocks[block].pages, "outside the block")
  }

  private func forEachWord(of range: Range<Int>, _ body: (_ page: Int, _ bits: UInt64) -> Void) {
    var page = range.lowerBound
    while page < range.upperBound {
      let first = page & ~63
      let end = min(range.upperBound, first + 64)
      let width = UInt64(end - page)
      let ones: UInt64 = width == 64 ? ~0 : (1 << width) - 1
      body(first, ones << UInt64(page - first))
      page = end
    }
  }
}
