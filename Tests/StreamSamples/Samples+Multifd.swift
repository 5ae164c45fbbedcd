// Main channels of migrations whose pages travel on multifd channels.

extension SampleStream {
  /// Those without, or with few, pages of their own.
  public static let multifdMains: [SampleStream] = [multifdPerSection(), multifdPostCopy()]

  public static func multifdMarkers(pageBits: Int = 10) -> SampleStream {
    var build = StreamBuilder("multifd markers", pageBits: pageBits)
    build.begin()
    build.startRAM([ram, rom])
    build.multifdFlush()
    build.endOfSection()
    build.reopen(2, id: 2)
    build.multifdFlush()
    build.firstRound()
    build.multifdFlush()
    build.multifdFlush()
    build.page(0, 1)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.page(0, 8)
    build.multifdFlush()
    build.endOfSection()
    build.tail()
    return build.sample
  }

  /// Up to 8.0, or its machine types: each body's EOS is the marker, and zero pages go here.
  ///
  /// - Parameter description: the page size that the description names; nil for the stream's own.
  public static func multifdPerSection(description pageSize: Int? = nil) -> SampleStream {
    var build = StreamBuilder("multifd, synchronised after each section", pageBits: 12)
    build.begin()
    build.startRAM([ram, rom])
    build.endOfSection()
    build.reopen(2, id: 2)
    build.zero(0, 0)
    build.zero(0, 6)
    build.endOfSection()
    build.reopen(2, id: 2)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.tail(description: false)
    build.description(devices: ["timer", "cpu_common"], pageSize: pageSize)
    return build.sample
  }

  /// 10.1 and later: a body of RAM with the last marker, then the switchover; from there on pages go on
  /// the main channel.
  static func multifdPostCopy() -> SampleStream {
    var build = StreamBuilder("multifd and post-copy", pageBits: 12)
    build.begin()
    build.command(3, [UInt8](repeating: 0, count: 16))
    build.startRAM([ram, rom])
    build.multifdFlush()
    build.endOfSection()
    build.reopen(2, id: 2)
    build.multifdFlush()
    build.endOfSection()
    build.command(11)
    build.command(6, [0, 6] + Array("pc.ram".utf8) + [0] + [UInt8](repeating: 0, count: 32))
    build.command(2, [0, 0, 0, 2])
    build.packaged([0x08, 0, 4, 0, 0, 0x04, 0x03, 0x02, 0x7e, 0x08, 0, 5, 0, 0])
    build.command(2, [0, 0, 0, 4])
    build.reopen(2, id: 2)
    build.page(0, 5)
    build.zero(0, 7)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.put(0x00)
    return build.sample
  }
}
