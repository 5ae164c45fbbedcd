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
      switch edits[segment: index] {
      case .forward(let range): try unsafe add(piece(range, of: input))
      case .insert(let range): try unsafe add(piece(range, of: inserted))
      }
    }
    try flush()
  }

  /// Checked in a release build too, where a buffer's own subscript is not: whatever lay beside the buffer
  /// would be sent to the destination.
  @inline(__always)
  private func piece(
    _ range: Range<Int>, of bytes: UnsafeRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "outside the buffer")
    return unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
  }
}
