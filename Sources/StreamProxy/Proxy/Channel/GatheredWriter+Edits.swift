import PageFilter

extension GatheredWriter {
  /// Writes what the editor has decided, blocking: ranges of the input buffer and inserted bytes,
  /// gathered into few large writes.
  ///
  /// - Parameter input: what the editor was given.
  mutating func write(
    _ edits: borrowing EditList, of input: UnsafeRawBufferPointer
  ) throws(ChannelFailure) {
    let inserted = unsafe edits.insertedBytes
    for index in 0..<edits.segmentCount {
      // The editor's ranges lie inside the buffer that they speak of (its tests and fuzzer say so).
      switch edits[segment: index] {
      case .forward(let range): try unsafe add(UnsafeRawBufferPointer(rebasing: input[range]))
      case .insert(let range): try unsafe add(UnsafeRawBufferPointer(rebasing: inserted[range]))
      }
    }
    try flush()
  }
}
