/// Parser and editor of one multifd channel: a header in, a decision out. Like ``StreamEditor`` a
/// value without I/O, clock or threads.
///
/// The only edits: offsets of dead pages move from the packet's normal pages to its zero pages, with
/// their payload cut out, and the verdict is put over copies of the mark page. A destination from 9.0
/// on makes the page zero if it ever held anything (`multifd-zero-page.c`); one before ignores the
/// zero list, so that the page keeps what an earlier round or nobody has written there. Which it is
/// cannot be told from the source; both are right for a page that its guest holds and never reads
/// again, as long as the guest is not switched to post-copy, in which such a destination would wait for
/// the page: with a source that could do that, the proxy does not edit.
///
/// Which copy of a page is the last. All channels pass a synchronisation before any goes on, at the
/// destination too, so ``syncs``, the number of synchronisations after which a copy came, orders the
/// copies on all channels. Between two synchronisations a source means to send a page once: it walks
/// each round over the blocks in one direction, and synchronises where it starts again (`ram.c`,
/// find_dirty_block), or after every section. QEMU 7.2 sometimes queues the last page of a packet a
/// second time (`multifd.c`, multifd_queue_page, looks at a packet that it has given away), and then
/// two channels carry copies without an order. If the guest wrote between the two, the page is dirty
/// again and comes once more after the next synchronisation; the last ones of all are equal.
public struct MultifdEditor: Sendable {
  public enum Progress: Equatable, Sendable {
    /// The header needs this many bytes, counted from the packet's start.
    case needsHeader(Int)
    /// The packet carries the channel's first pages: call ``begin(blocks:dead:mark:probes:)`` and again.
    case firstPages
    /// The header has been consumed; the packet says what becomes of it and of its payload.
    case decided
  }

  /// Pages by kind, as for the main channel; bytes are the caller's to count.
  public internal(set) var counters = StreamCounters()
  /// Synchronisations that this channel has passed.
  public private(set) var syncs = 0
  /// The last copy of the mark page as the guest wrote it; nil where it was no copy.
  public internal(set) var lastMarkCopy: [UInt8]?

  let pageSize: Int
  private var hasInit = false
  private var began = false
  private var blocks: [RAMBlock] = []
  private var blockNames: [[UInt8]] = []
  private var dead: DeadPages?
  private var claimDropping: @Sendable () -> Bool = { true }
  private var mayDrop = false
  var watched = WatchedPages()
  var probesPassed: [Bool] = []
  private var pagesDropped: [UInt64] = []

  /// - Parameter pageSize: of the target, in bytes.
  public init(pageSize: Int = 4096) { self.pageSize = pageSize }

  /// Lets pages pass from now on; those in `dead` are dropped.
  ///
  /// - Parameters:
  ///   - blocks: the main channel's, to which `dead`, `mark` and `probes` refer.
  ///   - claimDropping: asked once, before the first page is dropped; false where it came too late,
  ///     because another channel cannot be read. Then none is.
  public mutating func begin(
    blocks: [RAMBlock], dead: DeadPages?, mark: MarkRule?, probes: [ProbeRule] = [],
    claimDropping: @escaping @Sendable () -> Bool = { true }
  ) {
    self.claimDropping = claimDropping
    began = true
    self.blocks = blocks
    blockNames = blocks.map { Array($0.name.utf8) }
    self.dead = dead
    if let mark { watched.watch(mark) }
    watched.watch(probes)
    probesPassed = [Bool](repeating: false, count: probes.count)
  }

  /// Looks at the header at the beginning of `input`.
  ///
  /// - Throws: why the channel cannot be read on; nothing of the header has been consumed then.
  public mutating func process(
    _ input: RawSpan, into packet: inout MultifdPacket
  ) throws(BypassReason) -> Progress {
    guard input.byteCount >= MultifdFormat.prefixLength else {
      return .needsHeader(MultifdFormat.prefixLength)
    }
    try MultifdFormat.checkPrefix(input)
    guard hasInit else {
      guard input.byteCount >= MultifdFormat.initLength else {
        return .needsHeader(MultifdFormat.initLength)
      }
      hasInit = true
      packet.reset(header: input, length: MultifdFormat.initLength)
      return .decided
    }
    let flags = input.bigEndian(UInt32.self, at: MultifdFormat.Offset.flags)
    if flags & MultifdFormat.Flag.deviceState != 0 {
      return readDeviceState(input, &packet)
    }
    let length = MultifdFormat.headerLength(pageSize: pageSize)
    guard input.byteCount >= length else { return .needsHeader(length) }
    return try readPages(input, &packet, flags: flags)
  }

  /// A piece of a device's state (10.0 and later): passed on.
  private mutating func readDeviceState(
    _ input: RawSpan, _ packet: inout MultifdPacket
  ) -> Progress {
    guard input.byteCount >= MultifdFormat.deviceStateHeaderLength else {
      return .needsHeader(MultifdFormat.deviceStateHeaderLength)
    }
    packet.reset(header: input, length: MultifdFormat.deviceStateHeaderLength)
    let size = Int(input.bigEndian(UInt32.self, at: MultifdFormat.Offset.deviceStateSize))
    if size > 0 { packet.append(.forward(size)) }
    return .decided
  }

  private mutating func readPages(
    _ input: RawSpan, _ packet: inout MultifdPacket, flags: UInt32
  ) throws(BypassReason) -> Progress {
    let counts = try MultifdFormat.pageCounts(input, flags: flags, pageSize: pageSize)
    let (normal, zero) = (counts.normal, counts.zero)
    if normal + zero > 0 {
      guard flags & MultifdFormat.Flag.compression == 0 else { throw .compressedPages }
      guard began else { return .firstPages }
      let block = try readBlock(input)
      try checkOffsets(input, count: normal + zero, block: block)
      packet.reset(header: input, length: MultifdFormat.headerLength(pageSize: pageSize))
      edit(input, &packet, block: block, normal: normal, zero: zero)
    } else {
      packet.reset(header: input, length: MultifdFormat.headerLength(pageSize: pageSize))
    }
    if flags & MultifdFormat.Flag.sync != 0 {
      packet.isSync = true
    }
    return .decided
  }

  /// Tells that everything of the packet, its payload too, has passed.
  public mutating func passed(_ packet: borrowing MultifdPacket) {
    if packet.isSync { syncs += 1 }
  }

  private func readBlock(_ input: RawSpan) throws(BypassReason) -> Int {
    for block in blockNames.indices where isNamed(blockNames[block], input) { return block }
    throw .unknownBlock(MultifdFormat.name(input, at: MultifdFormat.Offset.block))
  }

  /// Compared where it stands: this is done for every packet, and a copy would be allocated.
  private func isNamed(_ name: [UInt8], _ input: RawSpan) -> Bool {
    let start = MultifdFormat.Offset.block
    guard name.count <= MultifdFormat.Offset.blockLength else { return false }
    for index in name.indices
    where input.bigEndian(UInt8.self, at: start + index) != name[index] { return false }
    return name.count == MultifdFormat.Offset.blockLength
      || input.bigEndian(UInt8.self, at: start + name.count) == 0
  }

  private func checkOffsets(
    _ input: RawSpan, count: Int, block: Int
  ) throws(BypassReason) {
    for index in 0..<count {
      let offset = MultifdFormat.pageOffset(input, index)
      guard offset < blocks[block].usedLength else {
        throw .pageBeyondBlock(name: blocks[block].name, offset: offset)
      }
      guard offset % UInt64(pageSize) == 0 else {
        throw .malformed("a page's offset in a multifd packet")
      }
    }
  }

  private mutating func claimsDropping() -> Bool {
    if mayDrop { return true }
    guard dead != nil else { return false }
    mayDrop = claimDropping()
    if !mayDrop { dead = nil }
    return mayDrop
  }

  /// Normal pages keep their order, because their payload has it; after them come the zero pages
  /// that the source named, then the dropped ones.
  private mutating func edit(
    _ input: RawSpan, _ packet: inout MultifdPacket, block: Int, normal: Int, zero: Int
  ) {
    let deadBits = dead?.block(block) ?? .empty
    var cursor = WatchedPagesCursor(watched, block: block)
    pagesDropped.removeAll(keepingCapacity: true)
    var kept = 0
    for index in 0..<normal {
      let offset = MultifdFormat.pageOffset(input, index)
      let page = offset / UInt64(pageSize)
      if cursor.isWatched(page) {
        packet.append(watchedRun(page, block))
      } else if deadBits.contains(Int(page)), claimsDropping() {
        packet.append(.discard(pageSize))
        pagesDropped.append(offset)
        continue
      } else {
        packet.append(.forward(pageSize))
      }
      packet.put(offset, at: MultifdFormat.Offset.pages + 8 * kept)
      kept += 1
    }
    var place = kept
    for index in normal..<normal + zero {
      let offset = MultifdFormat.pageOffset(input, index)
      let page = offset / UInt64(pageSize)
      if cursor.isWatched(page) {
        if watched.kind(of: page, in: block) == .mark {
          packet.zeroesMark = true
          lastMarkCopy = nil
        }
      } else if deadBits.contains(Int(page)) {
        counters.deadPagesMet += 1
      }
      packet.put(offset, at: MultifdFormat.Offset.pages + 8 * place)
      place += 1
    }
    for offset in pagesDropped {
      packet.put(offset, at: MultifdFormat.Offset.pages + 8 * place)
      place += 1
    }
    counters.normalPages += normal
    counters.zeroPages += zero
    guard !pagesDropped.isEmpty else { return }
    counters.droppedPages += pagesDropped.count
    counters.deadPagesMet += pagesDropped.count
    packet.put(UInt32(kept), at: MultifdFormat.Offset.normalPages)
    packet.put(UInt32(kept * pageSize), at: MultifdFormat.Offset.nextPacketSize)
    packet.put(UInt32(zero + pagesDropped.count), at: MultifdFormat.Offset.zeroPages)
  }
}
