import StreamProxy

/// Reads a main channel at the destination as far as it has to for knowing that it is whole: each record
/// is where the one before says, and each page is the one that its record names.
struct ArrivedRecords {
  private(set) var pages = 0
  private(set) var zeroPages = 0
  /// Up to RAM's END; from there on bytes are only counted.
  private var inRAM = true
  private var isOpen = false
  private var inEnd = false
  /// Of the beginning, which is not looked at.
  private var skip: Int

  init(after beginning: Int) { skip = beginning }

  /// How many bytes have been dealt with; the rest is to be shown again, with more after it.
  mutating func read(_ bytes: UnsafeRawBufferPointer) throws -> Int {
    var at = 0
    while at < bytes.count {
      if skip > 0 || !inRAM {
        let count = inRAM ? min(skip, bytes.count - at) : bytes.count - at
        skip -= inRAM ? count : 0
        at += count
        continue
      }
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[at...])
      guard let length = try isOpen ? unsafe record(rest) : unsafe section(rest) else { break }
      at += length
    }
    return at
  }

  /// PART or END of RAM; nil where it has not arrived whole.
  private mutating func section(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
    guard bytes.count >= 5 else { return nil }
    let type = unsafe bytes[0]
    guard type == 2 || type == 3 else {
      throw BenchError("no section begins at the destination, but the byte \(type)")
    }
    (isOpen, inEnd) = (true, type == 3)
    return 5
  }

  private mutating func record(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
    guard bytes.count >= 9 else { return nil }
    // Eight bytes are there.
    let word = unsafe UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
    let page = Int(word) / GuestMemory.pageSize
    let name = word & 0x020 == 0 ? unsafe 1 + Int(bytes[8]) : 0
    switch word & 0xfdf {
    case 0x002:
      let length = 8 + name + 1
      guard bytes.count >= length else { return nil }
      zeroPages += 1
      return length
    case 0x008:
      let length = 8 + name + GuestMemory.pageSize
      guard bytes.count >= length else { return nil }
      // Inside the record.
      let first = unsafe bytes.loadUnaligned(fromByteOffset: 8 + name, as: UInt64.self)
      if page >= GuestMemory.first, first != GuestMemory.firstWord(of: page) {
        throw BenchError("page \(page) arrived with the content of another")
      }
      pages += 1
      return length
    case 0x010 where word == 0x010:
      // EOS and the footer.
      guard bytes.count >= 13 else { return nil }
      isOpen = false
      inRAM = !inEnd
      return 13
    case 0x200 where word == 0x200: return 8
    default: throw BenchError("a record with the flags \(word & 0xfff) arrived")
    }
  }
}
