/// A multifd channel as a source sends it (`migration/multifd.h`), put together and not parsed.
public struct MultifdStream: Sendable {
  public static let pageSize = 4096

  public enum Compression: UInt32, Sendable {
    case none = 0
    case zlib = 2
    case zstd = 4
    case qpl = 8
    case uadk = 16
    case qatzip = 32
  }

  public private(set) var bytes: [UInt8] = []
  private var packets: UInt64 = 0

  /// Magic, version, UUID, the channel's number.
  public init(channel: UInt8) {
    put(0x1122_3344, 4)
    put(1, 4)
    bytes += [UInt8](repeating: 7, count: 16) + [channel] + [UInt8](repeating: 0, count: 39)
  }

  /// Pages by their numbers in the block.
  ///
  /// - Parameter payload: what stands for compressed pages; nil sends them whole.
  public mutating func pages(
    _ block: String, normal: [Int] = [], zero: [Int] = [], sync: Bool = false,
    compression: Compression = .none, payload: [UInt8]? = nil
  ) {
    let content = payload ?? normal.flatMap { StreamBuilder.content(0, $0, MultifdStream.pageSize) }
    header(
      block: block, normal: normal.count, zero: zero.count, size: content.count,
      flags: compression.rawValue | (sync ? 1 : 0),
      offsets: (normal + zero).map { UInt64($0 * MultifdStream.pageSize) })
    bytes += content
  }

  /// A synchronisation without pages (9.0 and later).
  public mutating func sync() {
    header(block: "", normal: 0, zero: 0, size: 0, flags: 1, offsets: [], allocated: 0)
  }

  /// One without pages in which size, name and offsets are left from an earlier packet (7.2 to 8.1).
  public mutating func stale(_ block: String, size: Int, sync: Bool = true) {
    header(
      block: block, normal: 0, zero: 0, size: size, flags: sync ? 1 : 0, offsets: [4096, 8192])
  }

  /// Gives the next packet this number.
  public mutating func number(_ number: UInt64) { packets = number }

  public mutating func deviceState(_ name: String, _ state: [UInt8]) {
    put(0x1122_3344, 4)
    put(1, 4)
    put(0x40, 4)
    put(name: name)
    put(5, 4)
    put(UInt64(state.count), 4)
    bytes += state
  }

  private mutating func header(
    block: String, normal: Int, zero: Int, size: Int, flags: UInt32, offsets: [UInt64],
    allocated: UInt64 = 128
  ) {
    put(0x1122_3344, 4)
    put(1, 4)
    put(UInt64(flags), 4)
    put(allocated, 4)
    put(UInt64(normal), 4)
    put(UInt64(size), 4)
    put(packets, 8)
    put(UInt64(zero), 4)
    bytes += [UInt8](repeating: 0, count: 28)
    put(name: block)
    for index in 0..<128 { put(index < offsets.count ? offsets[index] : 0, 8) }
    packets += 1
  }

  /// Big-endian.
  private mutating func put(_ value: UInt64, _ count: Int) {
    for byte in (0..<count).reversed() {
      bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte)))
    }
  }

  /// 256 bytes, padded with zeros.
  private mutating func put(name: String) {
    bytes += Array(name.utf8) + [UInt8](repeating: 0, count: 256 - name.utf8.count)
  }
}
