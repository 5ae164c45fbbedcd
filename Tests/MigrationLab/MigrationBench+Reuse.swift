// Frames that were held become somebody else's.

extension MigrationBench {
  /// The source's guest takes pages of the first segment and writes into all of them, over and over;
  /// returns when it has written into each.
  public func reuse(_ range: Range<UInt64>) async throws {
    source.extendChanges(by: range, after: content.changing)
    try await writtenInto(range)
  }

  /// The source's guest is reset. The one that runs after it knows of no mark page, and of all memory it
  /// takes these pages; returns when it has written into each.
  public func reset(into range: Range<UInt64>) async throws {
    source.prepareReset(into: range)
    let resets = source.qmp.events.observation.resets
    try source.qmp.execute("system_reset")
    while source.qmp.events.observation.resets == resets {
      try await Task.sleep(for: .milliseconds(5))
    }
    source.replaceChanges(by: range)
    while !source.isFilled { try await Task.sleep(for: .milliseconds(5)) }
    try await writtenInto(range)
  }

  private func writtenInto(_ range: Range<UInt64>) async throws {
    let pages = stride(
      from: range.lowerBound, to: range.upperBound, by: Int(GuestContent.pageSize))
    for _ in 0..<1000 {
      // Filled pages have their own address there.
      if pages.allSatisfy({ source.memory[0].word(UInt64.self, at: Int($0) + 8) != $0 }) { return }
      try await Task.sleep(for: .milliseconds(10))
    }
    throw LabError("the guest does not write into the pages that it is given: \(source.complaints)")
  }
}

extension TestMachine {
  /// One more range that the guest changes. It may be reading the list: a pair ends the list until
  /// its end is written, which comes last.
  func extendChanges(by range: Range<UInt64>, after ranges: [Range<UInt64>]) {
    writeChange(range, at: ranges.count)
  }

  /// After the first pair comes one that ends the list, where there was one range before.
  func replaceChanges(by range: Range<UInt64>) { writeChange(range, at: 0) }

  private func writeChange(_ range: Range<UInt64>, at index: Int) {
    let place = Firmware.Mailbox.changeList + index * 16
    memory[0].write(range.lowerBound, at: place)
    memory[0].write(range.upperBound, at: place + 8)
  }

  /// What the guest finds when it begins again.
  func prepareReset(into range: Range<UInt64>) {
    let list = Firmware.Mailbox.fillList
    for (index, value) in [range.lowerBound, range.upperBound, 0, 0].enumerated() {
      memory[0].write(value, at: list + index * 8)
    }
    memory[0].write(Firmware.Mailbox.unusedPage, at: Firmware.Mailbox.markAddress)
    memory[0].write(UInt32(0), at: Firmware.Mailbox.done)
  }

  /// The guest has filled its memory.
  var isFilled: Bool { memory[0].word(UInt32.self, at: Firmware.Mailbox.done) == 1 }
}
