// Bytes that are passed on as they are, and stops that are passed once.

extension StreamEditor {
  mutating func forwardCounted(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, count: UInt64,
    then next: State
  ) -> StepResult {
    let available = min(UInt64(input.byteCount - position), count)
    take(Int(available), &position, &edits)
    state = available == count ? next : .forward(count - available, then: next)
    return available == count ? .done : .needsInput
  }

  mutating func forwardRest(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) -> StepResult {
    counters.rawBytes += UInt64(input.byteCount - position)
    take(input.byteCount - position, &position, &edits)
    return .needsInput
  }

  /// Consumes bytes and forwards them.
  @inline(__always)
  func take(_ count: Int, _ position: inout Int, _ edits: inout EditList) {
    edits.forward(position..<position + count)
    position += count
  }

  /// Whether a stop point is to be reported now; false when the caller comes back from it.
  mutating func stops(at stop: StopPoint) -> Bool {
    defer { passing = nil }
    return passing != stop
  }
}
