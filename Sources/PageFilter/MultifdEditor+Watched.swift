// The pages that are looked at: the mark page and the probes.

extension MultifdEditor {
  func watchedRun(_ page: UInt64, _ block: Int) -> MultifdPacket.Run {
    if case .probe(let number) = watched.kind(of: page, in: block) {
      return .probe(pageSize, number: number)
    }
    return .mark(pageSize)
  }

  /// Whether a probe is, for the first time, what it should be.
  ///
  /// - Precondition: `page` are the bytes of a ``MultifdPacket/Run/probe(_:number:)`` run.
  public mutating func passProbe(_ page: [UInt8], number: Int) -> Bool {
    let expected = watched.probes[number].identification
    guard page.starts(with: expected), !probesPassed[number] else { return false }
    probesPassed[number] = true
    return true
  }

  /// Keeps a copy of the mark page as the guest wrote it, and puts the verdict over the bytes.
  ///
  /// - Precondition: `page` are the bytes of a ``MultifdPacket/Run/mark(_:)`` run.
  public mutating func passMark(_ page: inout [UInt8]) {
    precondition(page.count == pageSize)
    lastMarkCopy = nil
    guard let mark = watched.mark, mark.recognises(page) else { return }
    lastMarkCopy = page
    counters.markCopies += 1
    page.replaceSubrange(
      mark.verdictOffset..<mark.verdictOffset + mark.verdict.count, with: mark.verdict)
  }
}
