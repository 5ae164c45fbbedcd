// The RAM section: `migration/ram.c` (ram_save_setup, save_page_header, ram_load_precopy).

extension StreamEditor {
  /// Makes `index` the block that CONTINUE records belong to.
  mutating func enterBlock(_ index: Int) {
    currentBlock = index
    guard blocks.indices.contains(index) else { return }
    currentPages = blocks[index].usedLength >> targetPageBits
    currentDead = dead?.block(index) ?? .empty
    currentWatched = watched.first(from: 0, in: index)
  }

  mutating func readRAMRecords(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    // While the size of pages is not known, each record is looked at by itself.
    if seenFirstPage, !assumesPageSize { editContinuingPages(input, &position, &edits) }
    guard edits.hasRoom else { return .done }
    return try readRecord(input, &position, &edits)
  }

  /// The common case, kept short: whole PAGE and ZERO records that continue the current block. Whatever
  /// else comes is left to ``readRecord(_:_:_:)``.
  private mutating func editContinuingPages(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) {
    let pageSize = 1 << Int(targetPageBits)
    let pageRecordSize = 8 + pageSize
    let zeroRecordSize = 9
    let offsetMask = ~(UInt64(pageSize) - 1)
    let pageFlags = StreamFormat.RecordFlag.page | StreamFormat.RecordFlag.continue
    let zeroFlags = StreamFormat.RecordFlag.zero | StreamFormat.RecordFlag.continue
    var runStart = position
    var pages = RoundCounters()
    var deadMet = 0
    var last = lastPage
    while input.byteCount &- position >= zeroRecordSize {
      let word = input.bigEndian(UInt64.self, at: position)
      let page = (word & offsetMask) &>> targetPageBits
      let isPage = word & ~offsetMask == pageFlags
      guard isPage || word & ~offsetMask == zeroFlags, page < currentPages, page < currentWatched,
        page >= last, !isPage || input.byteCount &- position >= pageRecordSize
      else { break }
      let isDead = currentDead.contains(Int(truncatingIfNeeded: page))
      let next = position &+ (isPage ? pageRecordSize : zeroRecordSize)
      if isDead && isPage {
        edits.forward(runStart..<position)
        runStart = position
        guard edits.hasRoom else { break }
        edits.insertZeroRecord(word ^ StreamFormat.RecordFlag.page ^ StreamFormat.RecordFlag.zero)
        pages.dropped &+= 1
        runStart = next
      }
      if isDead { deadMet &+= 1 }
      if isPage { pages.normal &+= 1 } else { pages.zero &+= 1 }
      last = page
      position = next
    }
    edits.forward(runStart..<position)
    lastPage = last
    guard pages.normal + pages.zero > 0 else { return }
    counters.normalPages += pages.normal
    counters.zeroPages += pages.zero
    counters.droppedPages += pages.dropped
    counters.deadPagesMet += deadMet
    rounds[rounds.count - 1].add(pages)
    blockPages[currentBlock].add(pages)
  }

  /// One record of any kind.
  private mutating func readRecord(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 8 else { return .needsInput }
    let word = input.bigEndian(UInt64.self, at: position)
    let pageMask = (UInt64(1) << targetPageBits) - 1
    let flags = word & pageMask
    let offset = word & ~pageMask
    if assumesPageSize, flags > StreamFormat.RecordFlag.mask { return shortenPages() }
    switch flags {
    case StreamFormat.RecordFlag.endOfSection:
      if inRAMEnd {
        if stops(at: .endOfRAM) { return .stop(.endOfRAM) }
        counters.ramEnded = true
        inRAMEnd = false
      }
      counters.ramBodies += 1
      take(8, &position, &edits)
      state = isPreempt ? .raw : .footer
      return .done
    case StreamFormat.RecordFlag.memorySize:
      guard blocks.isEmpty else { throw .malformed("a second list of RAM blocks") }
      take(8, &position, &edits)
      state = .blockList(remaining: offset)
      return .done
    case StreamFormat.RecordFlag.multifdFlush:
      counters.multifdFlushes += 1
      take(8, &position, &edits)
      return .done
    default:
      return try readPageRecord(input, &position, &edits, word: word, flags: flags, offset: offset)
    }
  }

  private mutating func readPageRecord(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, word: UInt64, flags: UInt64,
    offset: UInt64
  ) throws(BypassReason) -> StepResult {
    let kind = flags & ~StreamFormat.RecordFlag.continue
    switch kind {
    case StreamFormat.RecordFlag.page, StreamFormat.RecordFlag.zero: break
    case StreamFormat.RecordFlag.xbzrle: guard readsOnly else { throw .xbzrle }
    case StreamFormat.RecordFlag.compressedPage:
      guard readsOnly else { throw .compressedPages }
    default: throw .unknownRecord(flags: flags)
    }
    if !seenFirstPage {
      if stops(at: .firstPageRecord) { return .stop(.firstPageRecord) }
      seenFirstPage = true
    }
    var headerLength = 8
    var block = currentBlock
    if flags & StreamFormat.RecordFlag.continue == 0 {
      guard input.byteCount - position >= 9 else { return .needsInput }
      let nameLength = Int(input.bigEndian(UInt8.self, at: position + 8))
      headerLength = 9 + nameLength
      guard input.byteCount - position >= headerLength else { return .needsInput }
      let name = input.bytes(position + 9..<position + headerLength)
      block = try self.block(named: name)
    }
    guard block >= 0 else { throw .noCurrentBlock }
    guard offset < blocks[block].usedLength else {
      throw .pageBeyondBlock(name: blocks[block].name, offset: offset)
    }
    let isPage = kind == StreamFormat.RecordFlag.page
    if assumesPageSize, isPage {
      guard settlePageSize(input, after: position + headerLength) else { return .needsInput }
    }
    let body = try bodyLength(kind, input, at: position + headerLength)
    guard let body, input.byteCount - position >= headerLength + body else { return .needsInput }
    let recordLength = headerLength + body
    if block != currentBlock { enterBlock(block) }
    let page = offset >> targetPageBits
    if page >= currentWatched || page < lastPage {
      currentWatched = watched.first(from: page, in: block)
    }
    countRound(page)
    let isDead = currentDead.contains(Int(page)) && page != currentWatched
    if isDead { counters.deadPagesMet += 1 }
    count(kind, block: block)
    if page == currentWatched {
      return passWatched(
        page, input, &position, &edits, headerLength: headerLength, recordLength: recordLength,
        isPage: isPage)
    }
    if isDead && isPage {
      counters.droppedPages += 1
      rounds[rounds.count - 1].dropped += 1
      blockPages[block].dropped += 1
      insertZero(input, position, headerLength, word, &edits)
      position += recordLength
    } else {
      take(recordLength, &position, &edits)
    }
    return .done
  }

  private mutating func count(_ kind: UInt64, block: Int) {
    switch kind {
    case StreamFormat.RecordFlag.page: counters.normalPages += 1
    case StreamFormat.RecordFlag.zero: counters.zeroPages += 1
    case StreamFormat.RecordFlag.xbzrle: counters.xbzrlePages += 1
    default: counters.compressedPages += 1
    }
    rounds[rounds.count - 1].count(kind)
    blockPages[block].count(kind)
  }

  /// The same first word with PAGE turned into ZERO, the same name if there was one, and the fill
  /// byte, which is 0 because destinations since 8.2 refuse any other.
  private func insertZero(
    _ input: RawSpan, _ position: Int, _ headerLength: Int, _ word: UInt64, _ edits: inout EditList
  ) {
    let edited = word ^ (StreamFormat.RecordFlag.page ^ StreamFormat.RecordFlag.zero)
    if headerLength == 8 {
      edits.insertZeroRecord(edited)
    } else {
      let front = (0..<8).map { UInt8(truncatingIfNeeded: edited >> UInt64(56 - 8 * $0)) }
      edits.insert(front + input.bytes(position + 8..<position + headerLength) + [0])
    }
  }

  /// QEMU walks the blocks in the order of the list and each from its beginning (`ram.c`,
  /// find_dirty_block), so a place before the last one begins another round.
  private mutating func countRound(_ page: UInt64) {
    if rounds.isEmpty || currentBlock < lastBlock || currentBlock == lastBlock && page < lastPage {
      counters.rounds += 1
      // A stream of any length must not cost memory of any size.
      if rounds.count < 4096 { rounds.append(RoundCounters()) }
    }
    lastBlock = currentBlock
    lastPage = page
  }
}
