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
    guard nameLength > 0, used <= remaining, blockIndices[name] == nil,
      blocks.count < StreamEditor.mostBlocks
    else {
      throw .malformed("the list of RAM blocks")
    }
    var block = RAMBlock(name: String(decoding: name, as: UTF8.self), usedLength: used)
    var length = fixed - position
    if ignoresShared {
      block.regionAddress = next
      length += 8
      if readsOnly {
        if listsShared == nil {
          listsShared = marksShared(input, at: position + length, remaining: remaining - used)
        }
        guard let listsShared, input.byteCount > position + length else { return .needsInput }
        if listsShared { length += 1 }
      }
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

  /// After the last entry stands EOS, MULTIFD_FLUSH or a record; none is a power of two from the
  /// target page size on.
  private func isHostPageSize(_ word: UInt64) -> Bool {
    word.nonzeroBitCount == 1 && word >= 1 << targetPageBits
  }

  /// QEMU 4.0 wrote one byte more after each address: whether the block is shared (commit b17fbbe55c has
  /// removed it again). It is taken for that where what follows fits only after it; nil where more has to
  /// be seen.
  private func marksShared(_ input: RawSpan, at position: Int, remaining: UInt64) -> Bool? {
    guard let fitsHere = listGoesOn(input, at: position, remaining: remaining) else { return nil }
    guard !fitsHere, input.bigEndian(UInt8.self, at: position) <= 1 else { return false }
    return listGoesOn(input, at: position + 1, remaining: remaining)
  }

  /// Whether the next entry's name and length can stand there; after the last one, EOS.
  private func listGoesOn(_ input: RawSpan, at position: Int, remaining: UInt64) -> Bool? {
    guard input.byteCount >= position + 8 else { return nil }
    guard remaining > 0 else {
      return input.bigEndian(UInt64.self, at: position) == StreamFormat.RecordFlag.endOfSection
    }
    let nameLength = Int(input.bigEndian(UInt8.self, at: position))
    guard nameLength > 0 else { return false }
    guard input.byteCount >= position + 1 + nameLength + 8 else { return nil }
    return input.bigEndian(UInt64.self, at: position + 1 + nameLength) <= remaining
  }
}
