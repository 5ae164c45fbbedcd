// The channels beside a main one, and those that take the place of one that broke.

extension MultifdStream {
  /// As 9.0 and later write one: zero pages on the list, synchronisations without pages.
  public static func modern(channel: UInt8 = 0) -> MultifdStream {
    var stream = MultifdStream(channel: channel)
    stream.sync()
    stream.pages("pc.ram", normal: [1, 2, 5], zero: [0, 6])
    stream.deviceState("0000:00:03.0/vfio", (0..<40).map { $0 })
    stream.pages("pc.bios", zero: [0, 1])
    stream.sync()
    stream.pages("pc.ram", normal: [1])
    stream.sync()
    return stream
  }

  /// As 7.2 writes one: a synchronisation rides on pages, or follows with what they left.
  public static func old(channel: UInt8 = 0) -> MultifdStream {
    var stream = MultifdStream(channel: channel)
    stream.stale("pc.ram", size: 0)
    stream.pages("pc.ram", normal: [1, 2, 5])
    stream.stale("pc.ram", size: 3 * pageSize)
    stream.pages("pc.bios", normal: [0, 1], sync: true)
    return stream
  }

  public static func compressed(_ method: Compression) -> MultifdStream {
    var stream = MultifdStream(channel: 1)
    stream.sync()
    stream.pages(
      "pc.ram", normal: [1, 2, 5], compression: method, payload: Array("11 22 33 44".utf8))
    stream.sync()
    return stream
  }
}

extension SampleStream {
  /// A preempt channel to a main one that has announced ``ram`` and ``rom``.
  ///
  /// - Parameter ends: with an EOS (machine types up to 7.2).
  public static func preempt(ends: Bool = false, pageBits: Int = 12) -> SampleStream {
    var build = StreamBuilder("preempt channel\(ends ? " of 7.2" : "")", pageBits: pageBits)
    build.announce([ram, rom])
    build.page(0, 5)
    build.page(0, 2)
    build.zero(0, 7)
    build.page(1, 1)
    build.page(0, 1)
    if ends { build.put(integer: UInt64(0x010)) }
    return build.sample
  }

  /// A preempt channel of which no page was asked, where the machine type is 7.2's or older.
  public static func preemptWithoutPages() -> SampleStream {
    var build = StreamBuilder("preempt channel of 7.2 without pages")
    build.announce([ram, rom])
    build.put(integer: UInt64(0x010))
    return build.sample
  }

  /// The main channel of a post-copy recovery after ``postCopy()``.
  public static func recovery() -> SampleStream {
    var build = StreamBuilder("post-copy recovery")
    build.announce([ram, rom])
    for block in [ram, rom] {
      build.command(10, [UInt8(block.name.utf8.count)] + Array(block.name.utf8))
    }
    build.command(9)
    build.reopen(2, id: 2)
    build.page(0, 2)
    build.zero(0, 4)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.page(1, 1)
    build.endOfSection()
    build.put(0x00)
    return build.sample
  }
}
