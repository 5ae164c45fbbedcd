// The list of RAM blocks at the beginning of RAM: `migration/ram.c`.

extension StreamEditor {
  /// One entry of the MEM_SIZE list (`ram.c:ram_save_setup`, `parse_ramblock`). Which optional
  /// fields follow is not announced: x-ignore-shared adds an address, post-copy a host page size for
  /// blocks of huge pages, never both.
  mutating func readBlockListEntry(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, remaining: UInt64
  ) throws(BypassReason) -> StepResult {
    guard remaining > 0 else {
      if stops(at: .blockListKnown) { return .stop(.blockListKnown) }
      state = .ramRecords
      return .done
    }
    guard input.byteCount - position >= 1 else { return .needsInput }
    let nameLength = Int(input.bigEndian(UInt8.self, at: position))
    let fixed = position + 1 + nameLength + 8
    // One more word is looked at to tell the optional field from what follows.
    guard input.byteCount >= fixed + 8 else { return .needsInput }
    let name = input.bytes(position + 1..<position + 1 + nameLength)
    let used = input.bigEndian(UInt64.self, at: fixed - 8)
    let next = input.bigEndian(UInt64.self, at: fixed)
    guard nameLength > 0, used <= remaining, blockIndices[name] == nil else {
      throw .malformed("the list of RAM blocks")
    }
    var block = RAMBlock(name: String(decoding: name, as: UTF8.self), usedLength: used)
    var length = fixed - position
    if ignoresShared {
      block.regionAddress = next
      length += 8
    } else if used < remaining ? next >> 56 == 0 : isHostPageSize(next) {
      // A name's length is never 0, and a page size's first byte always is.
      block.hostPageSize = next
      length += 8
    }
    // The name's bytes, which need be no UTF-8, are what records are looked up by.
    blockIndices[name] = blocks.count
    blocks.append(block)
    blockPages.append(RoundCounters())
    take(length, &position, &edits)
    state = .blockList(remaining: remaining - used)
    return .done
  }

  /// Behind the last entry stands EOS, MULTIFD_FLUSH or a record; none is a power of two from the
  /// target page size on.
  private func isHostPageSize(_ word: UInt64) -> Bool {
    word.nonzeroBitCount == 1 && word >= 1 << targetPageBits
  }
}
