/// A piece of the report: which pages of a stretch of guest-physical memory are held.
public struct HeldPages: Equatable, Sendable {
  public static let pageSize: UInt64 = 4096
  /// At most this many bitmap bytes travel in one message: 4 GiB of guest memory.
  public static let maximumBitmap = 128 * 1024

  /// The guest-physical page number (address / 4096) that bit 0 stands for; a multiple of 512, so
  /// that a piece covers whole 2 MiB of memory.
  public var firstPage: UInt64
  /// Bit n (byte n / 8, least significant bit first) is page `firstPage + n`; a multiple of 64 bytes.
  public var bitmap: [UInt8]

  public init(firstPage: UInt64, bitmap: [UInt8]) {
    self.firstPage = firstPage
    self.bitmap = bitmap
  }

  public var count: Int { bitmap.reduce(0) { $0 + $1.nonzeroBitCount } }
}

extension HeldPages: Message {
  public static let code: UInt16 = 102

  public func write(to payload: inout PayloadWriter) {
    payload.put(firstPage)
    payload.put(bitmap)
  }

  public init(from payload: inout PayloadReader) throws(MessageError) {
    let first: UInt64 = try payload.integer("first page")
    // Page numbers stay below 2^52, the end of x86's physical address space over 4096.
    guard first % 512 == 0, first < 1 << 52 else {
      throw .outOfRange(field: "first page", value: first)
    }
    let bits = try payload.byteString("bitmap", limit: HeldPages.maximumBitmap)
    guard !bits.isEmpty, bits.count % 64 == 0 else {
      throw .outOfRange(field: "bitmap", value: UInt64(bits.count))
    }
    firstPage = first
    bitmap = bits
  }
}

/// A run of guest-physical pages.
public struct PageRange: Equatable, Hashable, Sendable {
  public var first: UInt64
  public var count: UInt64

  public init(first: UInt64, count: UInt64) {
    self.first = first
    self.count = count
  }
}
