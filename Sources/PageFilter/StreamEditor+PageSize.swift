// Targets with one page size only do not announce it (`savevm.c`, vmstate_target_page_bits_needed):
// 4096 bytes nearly everywhere, 8192 on alpha, or1k and sparc64, 1024 on older ARM processors.

extension StreamEditor {
  /// Sizes of target pages as powers of two, the likeliest first.
  private static let knownPageBits: [UInt64] = [12, 10, 13, 14, 16]

  /// Takes the page size by which a record stands after the PAGE record's body.
  ///
  /// - Parameter body: offset of the page's first byte.
  /// - Returns: false where more input is needed to tell. Where no size fits, it stays what it was.
  mutating func settlePageSize(_ input: RawSpan, after body: Int) -> Bool {
    for bits in StreamEditor.knownPageBits {
      let next = body + 1 << bits
      guard input.byteCount >= next + 8 else { return false }
      if isRecord(input.bigEndian(UInt64.self, at: next), pageBits: bits) {
        usePages(bits: bits)
        return true
      }
    }
    assumesPageSize = false
    return true
  }

  /// Pages are shorter than was assumed, because an offset has bits where flags were looked for.
  mutating func shortenPages() -> StepResult {
    usePages(bits: 10)
    return .done
  }

  private mutating func usePages(bits: UInt64) {
    assumesPageSize = false
    guard bits != targetPageBits else { return }
    lastPage = (lastPage << targetPageBits) >> bits
    targetPageBits = bits
    enterBlock(currentBlock)
  }

  /// Whether this can be a record's first word: one of a page that there can be, or one without.
  private func isRecord(_ word: UInt64, pageBits: UInt64) -> Bool {
    let mask = UInt64(1) << pageBits - 1
    let flags = word & mask
    switch flags {
    case StreamFormat.RecordFlag.endOfSection, StreamFormat.RecordFlag.multifdFlush:
      return word == flags
    default: break
    }
    switch flags & ~StreamFormat.RecordFlag.continue {
    case StreamFormat.RecordFlag.page, StreamFormat.RecordFlag.zero,
      StreamFormat.RecordFlag.xbzrle, StreamFormat.RecordFlag.compressedPage:
      return blocks.contains { word - flags < $0.usedLength }
    default:
      return false
    }
  }
}
