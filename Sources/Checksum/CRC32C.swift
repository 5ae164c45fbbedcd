/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78; RFC 3720, appendix B.4), eight bytes at a
/// time. The links' frames, manifests and WiredTiger's blocks carry it; the last two are read while
/// somebody waits.
public enum CRC32C {
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      tables[index] = (0..<8).reduce(UInt32(index)) { value, _ in
        value & 1 == 1 ? 0x82f6_3b78 ^ (value >> 1) : value >> 1
      }
    }
    for index in 256..<8 * 256 {
      let before = tables[index - 256]
      tables[index] = (before >> 8) ^ tables[Int(before & 0xff)]
    }
    return tables
  }()

  /// The checksum of `bytes`.
  public static func checksum(of bytes: ArraySlice<UInt8>) -> UInt32 {
    // A span of bytes has no padding to expose.
    unsafe checksum(bytes.span.bytes)
  }

  /// The checksum of `bytes`, or of what `earlier` was the checksum of followed by `bytes`.
  public static func checksum(_ bytes: RawSpan, continuing earlier: UInt32 = 0) -> UInt32 {
    let table = tables.span
    var crc = ~earlier
    var position = 0
    while position + 8 <= bytes.byteCount {
      // Within bounds, by the condition of the loop; any bits are a number.
      let low = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self)
      let high = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: position + 4, as: UInt32.self)
      let first = low.littleEndian ^ crc
      let second = high.littleEndian
      crc =
        table[7 * 256 + Int(first & 0xff)] ^ table[6 * 256 + Int(first >> 8 & 0xff)]
        ^ table[5 * 256 + Int(first >> 16 & 0xff)] ^ table[4 * 256 + Int(first >> 24)]
        ^ table[3 * 256 + Int(second & 0xff)] ^ table[2 * 256 + Int(second >> 8 & 0xff)]
        ^ table[256 + Int(second >> 16 & 0xff)] ^ table[Int(second >> 24)]
      position += 8
    }
    while position < bytes.byteCount {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
      crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ (crc >> 8)
      position += 1
    }
    return ~crc
  }
}
