/// Numbers of a multifd channel (`migration/multifd.h`, MultiFDInit_t, MultiFDPacket_t,
/// MultiFDPacketDeviceState_t). All integers are big-endian.
enum MultifdFormat {
  static let magic: UInt32 = 0x1122_3344
  static let version: UInt32 = 1
  /// What a channel begins with.
  static let initLength = 64
  /// Magic, version and flags: they say which kind of header it is.
  static let prefixLength = 12
  static let deviceStateHeaderLength = 276
  /// Pages of one packet: `MULTIFD_PACKET_SIZE` (512 KiB) divided by the page size.
  static let packetBytes = 512 * 1024

  enum Flag {
    static let sync: UInt32 = 0x01
    /// zlib, zstd, qpl, uadk, qatzip; none is 0.
    static let compression: UInt32 = 0x3e
    static let deviceState: UInt32 = 0x40
    /// All that there are until 11.1. What another one says about the pages is not known.
    static let known = sync | compression | deviceState
  }

  enum Offset {
    static let version = 4
    static let flags = 8
    /// In what a channel begins with.
    static let channel = 24
    static let normalPages = 16
    static let nextPacketSize = 20
    /// Since 9.0; before, it was unused and 0.
    static let zeroPages = 32
    static let block = 64
    static let blockLength = 256
    static let pages = 320
    /// In a device-state header; its name is as long as a block's.
    static let deviceName = 12
    static let deviceInstance = 268
    static let deviceStateSize = 272
  }

  static func headerLength(pageSize: Int) -> Int {
    Offset.pages + 8 * (packetBytes / pageSize)
  }
}

extension MultifdFormat {
  /// Checks what every header begins with.
  ///
  /// - Precondition: `input` has ``prefixLength`` bytes.
  static func checkPrefix(_ input: RawSpan) throws(BypassReason) {
    guard input.bigEndian(UInt32.self, at: 0) == magic,
      input.bigEndian(UInt32.self, at: Offset.version) == version
    else { throw .malformed("a multifd packet's magic or version") }
  }

  /// How many pages a packet has, and the bytes that follow its header.
  struct PageCounts {
    var normal: Int
    var zero: Int
    var payload: Int
  }

  /// - Precondition: `input` has a whole header of pages, and `flags` are its own.
  static func pageCounts(
    _ input: RawSpan, flags: UInt32, pageSize: Int
  ) throws(BypassReason) -> PageCounts {
    let normal = Int(input.bigEndian(UInt32.self, at: Offset.normalPages))
    let zero = Int(input.bigEndian(UInt32.self, at: Offset.zeroPages))
    // Without normal pages the size is what an earlier packet left there (7.2 to 8.1).
    let payload = normal > 0 ? Int(input.bigEndian(UInt32.self, at: Offset.nextPacketSize)) : 0
    let capacity = packetBytes / pageSize
    guard flags & ~Flag.known == 0 else { throw .malformed("the flags of a multifd packet") }
    guard normal <= capacity, zero <= capacity - normal else {
      throw .malformed("the page count of a multifd packet")
    }
    guard flags & Flag.compression != 0 || payload == normal * pageSize else {
      throw .malformed("the payload size of a multifd packet")
    }
    return PageCounts(normal: normal, zero: zero, payload: payload)
  }

  /// The offset in its block, in bytes, of a packet's page.
  @inline(__always)
  static func pageOffset(_ input: RawSpan, _ index: Int) -> UInt64 {
    input.bigEndian(UInt64.self, at: Offset.pages + 8 * index)
  }

  /// A name as these headers have it: 256 bytes, filled up with zeros.
  static func name(_ input: RawSpan, at offset: Int) -> String {
    let field = input.bytes(offset..<offset + Offset.blockLength)
    return String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
  }
}
