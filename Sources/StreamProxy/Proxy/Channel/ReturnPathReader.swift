/// Reads along with what the destination says on the return path, for the one message that tells what the
/// migration came to: SHUT, by which the source itself knows that the guest has been started, or not
/// (`migration.c`, source_return_path_thread).
struct ReturnPathReader {
  private enum Expected {
    /// Type and length, of 16 bits each.
    case header
    case shut
    /// After RECV_BITMAP, outside of its length: so many bytes and an end mark (`ram.c`,
    /// ramblock_recv_bitmap_send).
    case bitmapSize
    /// It is no return path, or one of a QEMU that nobody knows yet.
    case nothing
  }

  private static let shutType: UInt64 = 1
  private static let bitmapType: UInt64 = 5
  private static let types = 1...7 as ClosedRange<UInt64>

  private var expected = Expected.header
  private var skips: UInt64 = 0
  private var word: UInt64 = 0
  private var count = 0
  /// 0 where the destination has started the guest, anything else where it failed; nil before.
  private(set) var shut: UInt32?

  mutating func read(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      if case .nothing = expected { return }
      take(byte)
    }
  }

  private mutating func take(_ byte: UInt8) {
    guard skips == 0 else {
      skips -= 1
      return
    }
    word = word << 8 | UInt64(byte)
    count += 1
    let length = if case .bitmapSize = expected { 8 } else { 4 }
    guard count == length else { return }
    let (type, size) = (word >> 16, word & 0xffff)
    switch expected {
    case .header where type == ReturnPathReader.shutType:
      expected = size == 4 ? .shut : .nothing
    case .header where ReturnPathReader.types.contains(type):
      skips = size
      expected = type == ReturnPathReader.bitmapType ? .bitmapSize : .header
    case .shut:
      shut = UInt32(truncatingIfNeeded: word)
      expected = .header
    case .bitmapSize where word < .max - 8:
      skips = word + 8
      expected = .header
    default:
      expected = .nothing
    }
    word = 0
    count = 0
  }
}
