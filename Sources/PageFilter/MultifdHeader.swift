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

  /// The longest header of any target.
  public static let maximumLength = MultifdFormat.headerLength(pageSize: 1024)

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
    guard input.bigEndian(UInt32.self, at: 0) == MultifdFormat.magic,
      input.bigEndian(UInt32.self, at: MultifdFormat.Offset.version) == MultifdFormat.version
    else { throw .malformed("a multifd packet's magic or version") }
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
      name: name(input, at: MultifdFormat.Offset.deviceName),
      instance: input.bigEndian(UInt32.self, at: MultifdFormat.Offset.deviceInstance),
      payload: Int(input.bigEndian(UInt32.self, at: MultifdFormat.Offset.deviceStateSize)))
  }

  private static func readPages(
    _ input: RawSpan, flags: UInt32, pageSize: Int
  ) throws(BypassReason) -> MultifdHeader {
    let normal = Int(input.bigEndian(UInt32.self, at: MultifdFormat.Offset.normalPages))
    let zero = Int(input.bigEndian(UInt32.self, at: MultifdFormat.Offset.zeroPages))
    let size = Int(input.bigEndian(UInt32.self, at: MultifdFormat.Offset.nextPacketSize))
    let capacity = MultifdFormat.packetBytes / pageSize
    guard flags & ~MultifdFormat.Flag.known == 0 else {
      throw .malformed("the flags of a multifd packet")
    }
    guard normal <= capacity, zero <= capacity - normal else {
      throw .malformed("the page count of a multifd packet")
    }
    let method = Compression(rawValue: flags & MultifdFormat.Flag.compression)
    guard let compression = method ?? (normal + zero == 0 ? Compression.none : nil) else {
      throw .malformed("the compression method of a multifd packet")
    }
    guard normal == 0 || compression != .none || size == normal * pageSize else {
      throw .malformed("the payload size of a multifd packet")
    }
    let offsets = (0..<normal + zero).map {
      input.bigEndian(UInt64.self, at: MultifdFormat.Offset.pages + 8 * $0)
    }
    return .pages(
      Pages(
        block: offsets.isEmpty ? "" : name(input, at: MultifdFormat.Offset.block), normal: normal,
        zero: zero,
        // Without normal pages the size is what an earlier packet left there (7.2 to 8.1).
        payload: normal > 0 ? size : 0, isSync: flags & MultifdFormat.Flag.sync != 0,
        compression: compression, highestOffset: offsets.max()))
  }

  private static func name(_ input: RawSpan, at offset: Int) -> String {
    let field = input.bytes(offset..<offset + MultifdFormat.Offset.blockLength)
    return String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }
}
