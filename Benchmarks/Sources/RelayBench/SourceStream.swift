import HookLink
import StreamSamples

/// The parts of the stream that are not pages, and how long all of it is.
///
/// A prologue goes first and is not timed: in it the mark page and the probe page cross, after which a
/// proxy may drop pages.
struct SourceStream {
  /// RAM's section is closed and opened again after so many pages, as QEMU does for its rate limit.
  static let pagesInSection = 4096
  /// `MULTIFD_PACKET_SIZE` (512 KiB) in pages.
  static let pagesInPacket = 128
  /// Of a RAM packet's header with so many offsets.
  static let packetHeader = 320 + 8 * pagesInPacket
  private static let ramSection: UInt32 = 2

  let memory: GuestMemory
  let mode: BenchCase.Mode
  let channels: Int
  private var build = StreamBuilder("bench", pageBits: 12)
  private var taken = 0

  init(_ memory: GuestMemory, mode: BenchCase.Mode, channels: Int) {
    (self.memory, self.mode, self.channels) = (memory, mode, channels)
  }

  /// From the magic to the end of RAM's START section.
  mutating func beginning() -> [UInt8] {
    build.begin()
    build.startRAM(
      id: SourceStream.ramSection,
      [.init(GuestMemory.block, pages: memory.size / GuestMemory.pageSize)])
    if mode == .multifd { build.multifdFlush() }
    build.endOfSection()
    return next()
  }

  /// A section with the mark page and the probe page; with multifd they have a packet.
  mutating func prologue(mark: [UInt8], probe: [UInt8]) -> [UInt8] {
    build.reopen(2, id: SourceStream.ramSection)
    if mode == .single {
      build.page(0, GuestMemory.markPage, content: mark)
      build.page(0, GuestMemory.probePage, content: probe)
    }
    build.endOfSection()
    return next()
  }

  /// RAM's END, in which the mark page comes once more, and the device states.
  mutating func ending(mark: [UInt8]) -> [UInt8] {
    build.reopen(3, id: SourceStream.ramSection)
    if mode == .single { build.page(0, GuestMemory.markPage, content: mark) }
    if mode == .multifd { build.multifdFlush() }
    build.endOfSection()
    build.tail()
    return next()
  }

  /// Of ``ending(mark:)``, which is sent later.
  func lengthOfEnding(mark: [UInt8]) -> Int {
    var copy = self
    return copy.ending(mark: mark).count
  }

  private mutating func next() -> [UInt8] {
    defer { taken = build.offset }
    return Array(build.sample.bytes[taken...])
  }

  /// What stands around the pages of one section.
  static var section: (open: [UInt8], close: [UInt8]) {
    var build = StreamBuilder("section", pageBits: 12)
    build.reopen(2, id: ramSection)
    let open = build.offset
    build.endOfSection()
    return (Array(build.sample.bytes[..<open]), Array(build.sample.bytes[open...]))
  }

  // MARK: Multifd

  /// A channel's first bytes, and the synchronisation of RAM's START.
  static func channelBeginning(_ channel: Int) -> [UInt8] {
    var stream = MultifdStream(channel: UInt8(channel))
    stream.sync()
    return stream.bytes
  }

  /// A packet with the given special pages.
  static func packet(_ pages: [(number: Int, content: [UInt8])]) -> [UInt8] {
    var stream = MultifdStream(channel: 0)
    let beginning = stream.bytes.count
    stream.pages(
      GuestMemory.block, normal: pages.map(\.number), payload: pages.flatMap(\.content))
    return Array(stream.bytes[beginning...])
  }

  static var synchronisation: [UInt8] {
    var stream = MultifdStream(channel: 0)
    let beginning = stream.bytes.count
    stream.sync()
    return Array(stream.bytes[beginning...])
  }

  /// The header of a full packet, in which ``PacketHeader`` puts the offsets.
  static var fullPacketHeader: [UInt8] {
    var stream = MultifdStream(channel: 0)
    let beginning = stream.bytes.count
    stream.pages(
      GuestMemory.block, normal: Array(0..<pagesInPacket),
      payload: [UInt8](repeating: 0, count: pagesInPacket * GuestMemory.pageSize))
    return Array(stream.bytes[beginning..<beginning + packetHeader])
  }
}
