extension DeviceStates {
  /// Finds the states by their headers and footers alone, as far as the EOF byte, which must be the last
  /// byte; false where that does not come out.
  mutating func findByFooters() -> Bool {
    var position = 0
    while position < tail.count - 1 {
      guard let state = state(at: position) else { return false }
      states.append(state)
      sections.insert(state.id)
      guard let end = end(of: state) else { return false }
      close(at: end)
      position = end
    }
    return position == tail.count - 1 && tail[position] == 0x00
  }

  /// The state whose FULL header stands here: 04, its section, a name, its instance and version. QEMU's
  /// names are printable, and no two sections of a stream have one number.
  private func state(at position: Int) -> StreamInspection.DeviceState? {
    guard position + 6 <= tail.count, tail[position] == 0x04 else { return nil }
    let end = position + 6 + Int(tail[position + 5])
    guard end > position + 6, end + 8 <= tail.count else { return nil }
    let name = tail[position + 6..<end]
    let id = UInt32(integer(at: position + 1))
    guard name.allSatisfy({ (0x20..<0x7f).contains($0) }), !sections.contains(id)
    else { return nil }
    return .init(
      id: id, name: String(decoding: name, as: UTF8.self), instance: UInt32(integer(at: end)),
      version: UInt32(integer(at: end + 4)), offset: stream.offset + UInt64(position), bytes: 0)
  }

  /// After the state's first footer that another header, or the last byte, follows.
  private func end(of state: StreamInspection.DeviceState) -> Int? {
    let footer =
      [0x7e] + stride(from: 24, through: 0, by: -8).map { UInt8(state.id >> $0 & 0xff) }
    // After the header.
    var from = Int(state.offset - stream.offset) + 14 + state.name.utf8.count
    while let found = search(footer, from: from, before: tail.count) {
      let end = found + footer.count
      if end == tail.count - 1 && tail[end] == 0x00 || self.state(at: end) != nil { return end }
      from = found + 1
    }
    return nil
  }
}
