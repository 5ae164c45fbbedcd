// The pages that are looked at: the mark page and the probes.

extension StreamEditor {
  /// From now on copies of the mark page are kept and given their verdict.
  ///
  /// - Precondition: it is no reader (``init(readsOnly:)``).
  public mutating func watch(_ rule: MarkRule) {
    precondition(!readsOnly, "a reader writes no verdict")
    watched.watch(rule)
    enterBlock(currentBlock)
  }

  /// From now on these pages are looked at; none of them is ever dropped. Takes the place of an
  /// earlier call's.
  public mutating func watch(_ probes: [ProbeRule]) {
    watched.watch(probes)
    probesPassed = [Bool](repeating: false, count: probes.count)
    enterBlock(currentBlock)
  }

  /// One record of a watched page of the current block.
  mutating func passWatched(
    _ page: UInt64, _ input: RawSpan, _ position: inout Int, _ edits: inout EditList,
    headerLength: Int, recordLength: Int, isPage: Bool
  ) -> StepResult {
    if case .probe(let number) = watched.kind(of: page, in: currentBlock) {
      return passProbe(
        number, input, &position, &edits, headerLength: headerLength, recordLength: recordLength,
        isPage: isPage)
    }
    passMark(
      input, &position, &edits, headerLength: headerLength, recordLength: recordLength,
      isPage: isPage)
    return .done
  }

  /// Keeps a copy of the mark page as the guest wrote it, and writes the verdict over what goes on.
  private mutating func passMark(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, headerLength: Int,
    recordLength: Int, isPage: Bool
  ) {
    guard let mark = watched.mark else { return take(recordLength, &position, &edits) }
    markPassages += 1
    lastMarkSyncs = counters.multifdSyncs
    let body = position + headerLength
    let page = isPage ? input.bytes(body..<position + recordLength) : []
    guard mark.recognises(page) else {
      lastMarkCopy = nil
      take(recordLength, &position, &edits)
      return
    }
    lastMarkCopy = page
    counters.markCopies += 1
    let end = position + recordLength
    take(headerLength + mark.verdictOffset, &position, &edits)
    edits.insert(mark.verdict)
    position += mark.verdict.count
    take(end - position, &position, &edits)
  }

  private mutating func passProbe(
    _ number: Int, _ input: RawSpan, _ position: inout Int, _ edits: inout EditList,
    headerLength: Int, recordLength: Int, isPage: Bool
  ) -> StepResult {
    let expected = watched.probes[number].identification
    let body = position + headerLength
    let isProbe =
      isPage && expected.count <= targetPageSize
      && input.bytes(body..<body + expected.count) == expected
    take(recordLength, &position, &edits)
    guard isProbe, !probesPassed[number] else { return .done }
    probesPassed[number] = true
    return .stop(.probePassed(number))
  }
}
