import HookLink

extension GuestMemoryMap {
  /// Calls `body` for every run of held pages that lies in one piece in one block, by rising
  /// guest-physical address.
  ///
  /// The piece is checked whole before `body` is called for the first time, so a refused piece has
  /// entered nothing. A report may consist of several pieces: when one is refused the caller drops
  /// what the earlier ones entered, too.
  ///
  /// - Parameter body: gets the block's index in the stream's list (after
  ///   ``adopt(streamBlocks:)``; in ``blocks`` before) and the pages, counted from the beginning of
  ///   the block.
  func forEachRun(
    in piece: HeldPages, _ body: (_ block: Int, _ pages: Range<UInt64>) -> Void
  ) throws(ReportError) {
    try piece.forEachRun { run throws(ReportError) in try check(run) }
    piece.forEachRun { run in forEachMappedRun(in: run, body) }
  }

  /// Calls `body` for every part of a range of guest-physical pages that is guest RAM, and passes
  /// over the rest: for a REVOKE, which can only take pages out.
  func forEachMappedRun(
    in range: PageRange, _ body: (_ block: Int, _ pages: Range<UInt64>) -> Void
  ) {
    let (end, overflow) = range.first.addingReportingOverflow(range.count)
    forEachMappedRun(in: range.first..<(overflow ? UInt64.max : end), body)
  }

  private func forEachMappedRun(
    in pages: Range<UInt64>, _ body: (_ block: Int, _ pages: Range<UInt64>) -> Void
  ) {
    let size = GuestMemoryMap.pageSize
    for segment in segments {
      let covered = segment.guestPhysicalStart / size..<segment.end / size
      let run = covered.clamped(to: pages)
      guard !run.isEmpty, let block = streamIndex(of: segment) else { continue }
      let first = segment.offsetInBlock / size + (run.lowerBound - covered.lowerBound)
      body(block, first..<first + UInt64(run.count))
    }
  }

  /// The place of a segment's block in the stream's list; nil where the stream does not list it.
  func streamIndex(of segment: Segment) -> Int? {
    streamIndices.isEmpty ? segment.block : streamIndices[segment.block]
  }

  /// Throws for the first page of `run` that may not be reported.
  private func check(_ run: Range<UInt64>) throws(ReportError) {
    let size = GuestMemoryMap.pageSize
    // HookLink keeps page numbers below 2^52 and a little; this is for whoever builds a piece by hand.
    guard run.upperBound <= UInt64.max / size else {
      throw .outsideRAM(address: run.lowerBound &* size, region: nil)
    }
    var address = run.lowerBound * size
    guard address >= GuestMemoryMap.lowestAddress else {
      throw .belowOneMegabyte(address: address)
    }
    while address < run.upperBound * size {
      guard let segment = segment(at: address) else {
        let other = otherMemory.first { ($0.first...$0.last).contains(address) }
        throw .outsideRAM(address: address, region: other?.name)
      }
      guard streamIndex(of: segment) != nil else {
        throw .unknownToStream(address: address, block: segment.blockName)
      }
      address = segment.end
    }
  }
}

extension HeldPages {
  /// Calls `body` for every run of set bits, as guest-physical pages, rising.
  func forEachRun<Failure: Error>(
    _ body: (Range<UInt64>) throws(Failure) -> Void
  ) throws(Failure) {
    var start: UInt64?
    var page = firstPage
    for byte in bitmap {
      if byte == (start == nil ? 0 : 0xff) {
        page += 8
        continue
      }
      for bit in 0..<8 {
        let isHeld = byte >> bit & 1 == 1
        if isHeld, start == nil {
          start = page
        } else if !isHeld, let first = start {
          try body(first..<page)
          start = nil
        }
        page += 1
      }
    }
    if let first = start { try body(first..<page) }
  }
}
