import FoundationEssentials
import Glibc

extension DeviceStates {
  /// The part of the description that is used (`savevm.c`, qemu_savevm_state_complete_precopy_non_iterable).
  struct Description: Decodable {
    struct Device: Decodable {
      var name: String
      var instance: Int64

      private enum CodingKeys: String, CodingKey {
        case name
        case instance = "instance_id"
      }
    }
    var pageSize: Int?
    var devices: [Device]

    private enum CodingKeys: String, CodingKey {
      case devices
      case pageSize = "page_size"
    }
  }

  /// The description with its header. It ends where the stream does, unless checkpoints follow it; a
  /// length and JSON that fit there by chance are not to be expected.
  func findDescription() -> (range: Range<Int>, content: Description)? {
    guard stream.bytesAfter == 0 || stream.isCOLO else { return nil }
    var from = 1
    while let found = search([0x06], from: from, before: tail.count - 5) {
      if let description = description(at: found) { return description }
      from = found + 1
    }
    return nil
  }

  private func description(at position: Int) -> (range: Range<Int>, content: Description)? {
    guard tail[position] == 0x06, tail[position + 5] == UInt8(ascii: "{") else { return nil }
    let end = position + 5 + integer(at: position + 1)
    guard stream.isCOLO ? end <= tail.count && tail[position - 1] == 0x00 : end == tail.count,
      let content = try? JSONDecoder().decode(
        Description.self, from: Data(tail[(position + 5)..<end]))
    else { return nil }
    return (position..<end, content)
  }

  /// Finds each device's state; false, with the problem, where one is missing.
  mutating func findStates(_ devices: [Description.Device], before end: Int) -> Bool {
    var position = 0
    for device in devices {
      guard let start = header(of: device, from: position, before: end) else {
        fail(
          at: position,
          "the description lists device state '\(device.name)', and it is not found from here on")
        return false
      }
      close(at: start)
      let name = start + 6 + device.name.utf8.count
      states.append(
        .init(
          id: UInt32(integer(at: start + 1)), name: device.name,
          instance: UInt32(truncatingIfNeeded: device.instance),
          version: UInt32(integer(at: name + 4)), offset: stream.offset + UInt64(start), bytes: 0))
      position = name + 8
    }
    return true
  }

  /// The first place where the device's header stands right after the last one's footer.
  private func header(
    of device: Description.Device, from position: Int, before end: Int
  ) -> Int? {
    let name = Array(device.name.utf8)
    guard let length = UInt8(exactly: name.count) else { return nil }
    let instance = UInt32(truncatingIfNeeded: device.instance)
    let pattern =
      [length] + name + stride(from: 24, through: 0, by: -8).map { UInt8(instance >> $0 & 0xff) }
    var from = position
    while let found = search(pattern, from: from, before: end) {
      let start = found - 5
      let follows =
        states.last.map { !stream.hasFooters || isFooter(of: $0.id, before: start) } ?? (start == 0)
      if start >= position, tail[start] == 0x04, found + pattern.count + 4 <= end, follows {
        return start
      }
      from = found + 1
    }
    return nil
  }

  func isFooter(of id: UInt32, before end: Int) -> Bool {
    end >= 5 && tail[end - 5] == 0x7e && integer(at: end - 4) == Int(id)
  }

  /// The last state ends here.
  mutating func close(at end: Int) {
    guard let last = states.indices.last else { return }
    states[last].bytes = stream.offset + UInt64(end) - states[last].offset
  }

  mutating func fail(at position: Int, _ sentence: String) {
    problem = .init(offset: stream.offset + UInt64(position), sentence: sentence)
  }

  /// A big-endian 32-bit integer.
  func integer(at position: Int) -> Int {
    tail[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  func search(_ pattern: [UInt8], from: Int, before end: Int) -> Int? {
    var from = from
    return unsafe tail.withUnsafeBytes { bytes in
      // All ranges lie inside their arrays, which are alive; what is found lies in the first.
      guard let base = bytes.baseAddress else { return nil }
      while from + pattern.count <= end {
        let left = end - pattern.count + 1 - from
        guard let found = unsafe memchr(base + from, Int32(pattern[0]), left) else { return nil }
        let index = unsafe UnsafeRawPointer(found) - base
        if unsafe memcmp(found, pattern, pattern.count) == 0 { return index }
        from = index + 1
      }
      return nil
    }
  }
}
