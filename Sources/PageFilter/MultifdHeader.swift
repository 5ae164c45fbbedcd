/// What one header of a multifd channel says, for readers that edit nothing: recorded channels, of
/// any compression.
public enum MultifdHeader: Equatable, Sendable {
  /// What a channel begins with (MultiFDInit_t).
  case hello(channel: UInt8)
  case pages(Pages)
  /// A piece of a device's state (10.0 and later), with the bytes of it that follow.
  case deviceState(name: String, instance: UInt32, payload: Int)

  /// A packet of pages (MultiFDPacket_t); both kinds may be 0 where it only synchronises.
  public struct Pages: Equatable, Sendable {
    /// Empty where the packet has no pages: a name there is left from an earlier one.
    public var block: String
    public var normal: Int
    /// On the zero list (9.0 and later).
    public var zero: Int
    /// Bytes that follow the header.
    public var payload: Int
    public var isSync: Bool
    public var compression: Compression
    /// The highest of the pages' offsets in the block, in bytes; nil without pages.
    public var highestOffset: UInt64?
  }

  /// `migration/multifd.h`, MULTIFD_FLAG_*.
  public enum Compression: UInt32, Sendable {
    case none = 0x00
    case zlib = 0x02
    case zstd = 0x04
    case qpl = 0x08
    case uadk = 0x10
    case qatzip = 0x20

    /// As QAPI writes it (MultiFDCompression).
    public var name: String { "\(self)" }
  }

  public enum Reading: Equatable, Sendable {
    /// The header needs this many bytes, counted from its start.
    case needs(Int)
    case header(MultifdHeader, length: Int)
  }

  /// What a channel of x-multifd begins with (2.11 to 3.1): magic, version, UUID and the channel's number. The
  /// first packet, of another layout than today's, follows at once.
  public static let oldGreetingLength = 25

  /// Whether the beginning of a channel is one of x-multifd; nil where more input is needed to tell.
  public static func isOld(_ input: RawSpan) -> Bool? {
    guard input.byteCount >= oldGreetingLength + 8 else { return nil }
    // Today's greeting has zeros here.
    return input.bigEndian(UInt32.self, at: oldGreetingLength) == MultifdFormat.magic
      && input.bigEndian(UInt32.self, at: oldGreetingLength + 4) == MultifdFormat.version
  }

  /// Reads the header at the beginning of `input`.
  ///
  /// - Parameters:
  ///   - isFirst: whether it is the channel's first.
  ///   - pageSize: of the target, in bytes.
  /// - Throws: what is wrong with it.
  public static func read(
    _ input: RawSpan, isFirst: Bool, pageSize: Int = 4096
  ) throws(BypassReason) -> Reading {
    guard input.byteCount >= MultifdFormat.prefixLength else {
      return .needs(MultifdFormat.prefixLength)
    }
    try MultifdFormat.checkPrefix(input)
    if isFirst {
      guard input.byteCount >= MultifdFormat.initLength else {
        return .needs(MultifdFormat.initLength)
      }
      let channel = input.bigEndian(UInt8.self, at: MultifdFormat.Offset.channel)
      return .header(.hello(channel: channel), length: MultifdFormat.initLength)
    }
    let flags = input.bigEndian(UInt32.self, at: MultifdFormat.Offset.flags)
    let isDevice = flags & MultifdFormat.Flag.deviceState != 0
    let length =
      isDevice
      ? MultifdFormat.deviceStateHeaderLength : MultifdFormat.headerLength(pageSize: pageSize)
    guard input.byteCount >= length else { return .needs(length) }
    let header =
      isDevice ? readDeviceState(input) : try readPages(input, flags: flags, pageSize: pageSize)
    return .header(header, length: length)
  }

  private static func readDeviceState(_ input: RawSpan) -> MultifdHeader {
    .deviceState(
      name: MultifdFormat.name(input, at: MultifdFormat.Offset.deviceName),
      instance: input.bigEndian(UInt32.self, at: MultifdFormat.Offset.deviceInstance),
      payload: Int(input.bigEndian(UInt32.self, at: MultifdFormat.Offset.deviceStateSize)))
  }

  private static func readPages(
    _ input: RawSpan, flags: UInt32, pageSize: Int
  ) throws(BypassReason) -> MultifdHeader {
    let counts = try MultifdFormat.pageCounts(input, flags: flags, pageSize: pageSize)
    let pages = counts.normal + counts.zero
    let method = Compression(rawValue: flags & MultifdFormat.Flag.compression)
    guard let compression = method ?? (pages == 0 ? Compression.none : nil) else {
      throw .malformed("the compression method of a multifd packet")
    }
    var highest: UInt64?
    for index in 0..<pages {
      highest = max(highest ?? 0, MultifdFormat.pageOffset(input, index))
    }
    return .pages(
      Pages(
        block: pages == 0 ? "" : MultifdFormat.name(input, at: MultifdFormat.Offset.block),
        normal: counts.normal, zero: counts.zero, payload: counts.payload,
        isSync: flags & MultifdFormat.Flag.sync != 0, compression: compression,
        highestOffset: highest))
  }
}
