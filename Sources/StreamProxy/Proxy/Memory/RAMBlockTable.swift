/// QEMU's RAM blocks, as the human monitor's `info ramblock` prints them (`ram_block_format` in
/// QEMU's system/physmem.c): a heading, then per block the name under which it travels in the
/// stream, the page size of the memory behind it, and three or more numbers in hexadecimal (offset,
/// used length, total length; since 8.2 the host address).
struct RAMBlockTable: Equatable {
  struct Entry: Equatable {
    var name: String
    /// Bytes: 4096, or that of the huge pages behind the block.
    var pageSize: UInt64
    /// Bytes that the guest sees; what MEM_SIZE in the stream says.
    var usedLength: UInt64
  }

  var entries: [Entry] = []

  init(parsing text: String) throws(MemoryMapError) {
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.split(separator: " ")
      if words.isEmpty || line.contains("Block Name") { continue }
      guard let entry = Entry(words) else {
        throw .unreadable(command: "info ramblock", line: String(line))
      }
      entries.append(entry)
    }
    guard !entries.isEmpty else {
      throw .unreadable(command: "info ramblock", line: "(no block at all)")
    }
  }
}

extension RAMBlockTable.Entry {
  /// - Parameter words: name (one word or more), number, unit, offset, used length, total length, …
  init?(_ words: [Substring]) {
    guard let offset = words.firstIndex(where: { $0.hasPrefix("0x") }),
      offset >= 3, words.count >= offset + 3,
      let size = UInt64(words[offset - 2]),
      let unit = RAMBlockTable.units[String(words[offset - 1])],
      let used = UInt64(words[offset + 1].dropFirst(2), radix: 16),
      UInt64(words[offset + 2].dropFirst(2), radix: 16) != nil
    else { return nil }
    let (pageSize, overflow) = size.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    name = words[..<(offset - 2)].joined(separator: " ")
    self.pageSize = pageSize
    usedLength = used
  }
}

extension RAMBlockTable {
  /// Those that QEMU's `size_to_str` uses.
  fileprivate static let units: [String: UInt64] = [
    "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
  ]
}
