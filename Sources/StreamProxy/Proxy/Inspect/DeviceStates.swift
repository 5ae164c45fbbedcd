import FoundationEssentials
import Glibc

/// What follows the end of RAM in a recorded stream: FULL sections of device states, the EOF byte,
/// and the description that QEMU adds for its own tools (`savevm.c`, QEMU_VM_VMDESCRIPTION: a byte
/// 06, a length, and JSON that lists the devices).
///
/// Device states carry no length, so they are found with the description's help: each device's
/// header is searched for behind the last one's, and must stand right behind that one's footer.
struct DeviceStates {
  private(set) var states: [StreamInspection.DeviceState] = []
  private(set) var note: String?
  private(set) var problem: StreamInspection.Problem?
  private(set) var stateBytes: UInt64 = 0
  private(set) var endBytes: UInt64 = 0
  private(set) var descriptionBytes: UInt64 = 0

  private let tail: [UInt8]
  private let offset: UInt64
  private let hasFooters: Bool

  private struct Description: Decodable {
    struct Device: Decodable {
      var name: String
      var instance: Int64

      private enum CodingKeys: String, CodingKey {
        case name
        case instance = "instance_id"
      }
    }
    var devices: [Device]
  }

  /// - Parameters:
  ///   - tail: everything from the first device state, or the EOF byte, to the end of the stream.
  ///   - offset: of the tail in the stream.
  ///   - early: names of device states that came before RAM; the description lists them too.
  init(tail: [UInt8], offset: UInt64, hasFooters: Bool, early: Set<String>) {
    self.tail = tail
    self.offset = offset
    self.hasFooters = hasFooters
    guard let first = tail.first else { return }
    guard first == 0x04 || first == 0x00 else {
      problem = .init(
        offset: offset,
        sentence: "element type 0x\(String(first, radix: 16)) behind the end of RAM is not known")
      return
    }
    if let (start, description) = findDescription() {
      endBytes = 1
      descriptionBytes = UInt64(tail.count - start)
      find(description.devices.filter { !early.contains($0.name) }, before: start - 1)
    } else if endsWithoutDescription {
      endBytes = 1
      stateBytes = UInt64(tail.count - 1)
      if tail.count > 1 {
        note = "the stream carries no description of its device states (suppress-vmdesc)"
      }
    } else {
      problem = .init(
        offset: offset + UInt64(tail.count),
        sentence: "the stream ends inside the device states or their description")
    }
  }

  /// The description ends where the stream does, and its JSON holds no control characters, so it is
  /// looked for from the end.
  private func findDescription() -> (start: Int, Description)? {
    var position = tail.count - 5
    while position > 0 {
      position -= 1
      guard tail[position] == 0x06, tail[position + 5] == UInt8(ascii: "{"),
        integer(at: position + 1) == tail.count - position - 5
      else { continue }
      let text = Data(tail[(position + 5)...])
      if let description = try? JSONDecoder().decode(Description.self, from: text) {
        return (position, description)
      }
    }
    return nil
  }

  /// The EOF byte behind a footer, or alone (post-copy). Without footers any zero byte may be it.
  private var endsWithoutDescription: Bool {
    guard tail.last == 0 else { return false }
    return tail.count == 1 || !hasFooters || tail.count > 6 && tail[tail.count - 6] == 0x7e
  }

  private mutating func find(_ devices: [Description.Device], before end: Int) {
    guard end >= 0, tail[end] == 0x00 else {
      problem = .init(
        offset: offset + UInt64(max(0, end)),
        sentence: "no end-of-stream byte stands before the description of the device states")
      return
    }
    var position = 0
    for device in devices {
      guard let start = header(of: device, from: position, before: end) else {
        problem = .init(
          offset: offset + UInt64(position),
          sentence: """
            the description lists device state '\(device.name)', and it is not found from here on
            """)
        return
      }
      close(at: start)
      let name = start + 6 + device.name.utf8.count
      states.append(
        .init(
          id: UInt32(integer(at: start + 1)), name: device.name,
          instance: UInt32(truncatingIfNeeded: device.instance),
          version: UInt32(integer(at: name + 4)), offset: offset + UInt64(start), bytes: 0))
      position = name + 8
    }
    close(at: end)
    stateBytes = UInt64(end)
    if let last = states.last, hasFooters, !isFooter(of: last.id, before: end) {
      problem = .init(
        offset: offset + UInt64(end),
        sentence: "the last device state, '\(last.name)', does not end with its footer")
    }
  }

  /// The first place where the device's header stands right behind the last one's footer.
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
        states.last.map { !hasFooters || isFooter(of: $0.id, before: start) } ?? (start == 0)
      if start >= position, tail[start] == 0x04, found + pattern.count + 4 <= end, follows {
        return start
      }
      from = found + 1
    }
    return nil
  }

  private mutating func close(at end: Int) {
    guard let last = states.indices.last else { return }
    states[last].bytes = offset + UInt64(end) - states[last].offset
  }

  private func isFooter(of id: UInt32, before end: Int) -> Bool {
    end >= 5 && tail[end - 5] == 0x7e && integer(at: end - 4) == Int(id)
  }

  /// A big-endian 32-bit integer.
  private func integer(at position: Int) -> Int {
    tail[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
  }

  private func search(_ pattern: [UInt8], from: Int, before end: Int) -> Int? {
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
