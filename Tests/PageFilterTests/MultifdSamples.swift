import StreamSamples

/// A multifd channel written packet by packet, and what an editor has to make of it, told by other
/// means: packets are taken apart into pages, pages are changed, and packets are put together again.
struct MultifdSample {
  struct Page: Equatable {
    var offset: UInt64
    /// nil for a zero page.
    var content: [UInt8]?

    var number: Int { Int(offset) / pageSize }
  }

  enum Packet {
    case pages(block: String, [Page], sync: Bool, number: UInt64)
    /// A packet without pages whose size field and names are left from an earlier one (7.2 to 8.1).
    case stale(block: String, size: UInt32, sync: Bool)
    case device(name: String, [UInt8])
  }

  static let pageSize = 4096
  var packets: [Packet]

  /// What a channel begins with.
  static let hello = MultifdStream(channel: 3).bytes

  static func encode(_ packet: Packet) -> [UInt8] {
    var stream = MultifdStream(channel: 3)
    switch packet {
    case .pages(let block, let pages, let sync, let number):
      let normal = pages.filter { $0.content != nil }
      stream.number(number)
      stream.pages(
        block, normal: normal.map(\.number),
        zero: pages.filter { $0.content == nil }.map(\.number), sync: sync,
        payload: normal.flatMap { $0.content ?? [] })
    case .stale(let block, let size, let sync):
      stream.stale(block, size: Int(size), sync: sync)
    case .device(let name, let state):
      stream.deviceState(name, state)
    }
    return Array(stream.bytes[hello.count...])
  }

  var bytes: [UInt8] { MultifdSample.hello + packets.flatMap(MultifdSample.encode) }

  /// The oracle. `dead` and `mark` name pages by block and offset.
  func expected(
    dead: Set<String>, mark: String?, verdict: (inout [UInt8]) -> Void
  ) -> [UInt8] {
    let edited = packets.map { packet -> Packet in
      guard case .pages(let block, let pages, let sync, let number) = packet else { return packet }
      var kept: [Page] = []
      var dropped: [Page] = []
      for page in pages {
        let name = "\(block)/\(page.offset)"
        if name == mark, var content = page.content {
          verdict(&content)
          kept.append(Page(offset: page.offset, content: content))
        } else if dead.contains(name), page.content != nil, name != mark {
          dropped.append(Page(offset: page.offset, content: nil))
        } else {
          kept.append(page)
        }
      }
      return .pages(block: block, kept + dropped, sync: sync, number: number)
    }
    return MultifdSample(packets: edited).bytes
  }

  static func random(_ generator: inout some RandomNumberGenerator) -> MultifdSample {
    let blocks = ["pc.ram", "0000:00:02.0/vga.vram"]
    return MultifdSample(
      packets: (0..<Int.random(in: 1...5, using: &generator)).map { index in
        let block = blocks.randomElement(using: &generator)!
        switch Int.random(in: 0..<8, using: &generator) {
        case 0: return .stale(block: block, size: 8192, sync: true)
        case 1:
          return .device(
            name: "0000:00:03.0/vfio",
            (0..<Int.random(in: 0..<40, using: &generator)).map { UInt8($0) })
        default:
          let numbers = (0..<64).shuffled(using: &generator)
            .prefix([0, 1, 2, 5, 64].randomElement(using: &generator)!)
          let pages = numbers.map { number in
            Page(
              offset: UInt64(number * pageSize),
              content: Bool.random(using: &generator)
                ? [UInt8](repeating: UInt8(number + 1), count: pageSize) : nil)
          }
          return .pages(
            block: block, pages, sync: Bool.random(using: &generator), number: UInt64(index))
        }
      })
  }
}
