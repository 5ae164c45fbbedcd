extension GuestMemoryMap {
  /// Asks QEMU: `info ramblock` and `info mtree -f` of the human monitor, query-memdev and
  /// query-memory-devices.
  static func read(from client: QMPClient) throws(MemoryMapError) -> GuestMemoryMap {
    let ramBlocks: String
    let flatViews: String
    let backends: [String]
    let devices: [QMPClient.MemoryDevice]
    do throws(QMPError) {
      ramBlocks = try client.humanMonitorCommand("info ramblock")
      flatViews = try client.humanMonitorCommand("info mtree -f")
      backends = try client.queryMemoryBackends()
      devices = try client.queryMemoryDevices()
    } catch {
      throw .qmp(error)
    }
    return try GuestMemoryMap(
      ramBlocks: ramBlocks, flatViews: flatViews, memoryBackends: backends, memoryDevices: devices)
  }

  /// - Parameters:
  ///   - ramBlocks: what `info ramblock` prints.
  ///   - flatViews: what `info mtree -f` prints.
  ///   - memoryBackends: the ids from query-memdev.
  ///   - memoryDevices: query-memory-devices.
  init(
    ramBlocks: String, flatViews: String, memoryBackends: [String],
    memoryDevices: [QMPClient.MemoryDevice]
  ) throws(MemoryMapError) {
    let table = try RAMBlockTable(parsing: ramBlocks)
    let view = try SystemFlatView(parsing: flatViews)
    knownBlocks = Dictionary(table.entries.map { ($0.name, $0.usedLength) }) { first, _ in first }
    guard knownBlocks.count == table.entries.count else {
      throw .contradiction("info ramblock lists a name twice")
    }
    let backends = Set(memoryBackends)
    for range in view.ranges where range.type != "i/o" {
      let memory = try GuestMemoryMap.entry(
        for: range, table: table, backends: backends, devices: memoryDevices)
      if let memory {
        try add(range, of: memory)
      } else {
        otherMemory.append(OtherMemory(first: range.start, last: range.last, name: range.name))
      }
    }
    guard !segments.isEmpty else { throw .noMemory }
    segments.sort { $0.guestPhysicalStart < $1.guestPhysicalStart }
    try checkThatNothingIsMappedTwice()
  }

  /// The block behind a range, or nil where that is not guest RAM.
  private static func entry(
    for range: SystemFlatView.Range, table: RAMBlockTable, backends: Set<String>,
    devices: [QMPClient.MemoryDevice]
  ) throws(MemoryMapError) -> RAMBlockTable.Entry? {
    guard range.type == "ram" else { return nil }
    // With x-use-canonical-path-for-ramblock-id the region has the backend's whole path.
    let backend =
      range.name.hasPrefix("/objects/")
      ? String(range.name.dropFirst("/objects/".count)) : range.name
    guard backends.contains(backend) else { return nil }
    let candidates = table.entries.filter {
      $0.name == range.name || $0.name.hasSuffix("/" + range.name)
    }
    guard candidates.count == 1 else {
      throw .unclearBlock(region: range.name, candidates: candidates.map(\.name))
    }
    if let device = devices.first(where: { $0.backend == backend }) {
      guard ["dimm", "virtio-mem"].contains(device.type) else { return nil }
      try check(range, liesIn: device)
    } else if candidates[0].name != range.name {
      // A device path before the name, and no memory device: shared memory of an ivshmem.
      return nil
    }
    return candidates[0]
  }

  private static func check(
    _ range: SystemFlatView.Range, liesIn device: QMPClient.MemoryDevice
  ) throws(MemoryMapError) {
    guard let address = device.address, let length = device.length,
      range.start >= address, range.last - address < length,
      range.start - address == range.offset
    else {
      throw .contradiction(
        """
        info mtree has the memory of \(device.type) \(range.name) at \(hexadecimal(range.start)), \
        and query-memory-devices has it elsewhere
        """)
    }
  }

  /// Adds what of a range is at or above 1 MiB, in whole pages.
  private mutating func add(
    _ range: SystemFlatView.Range, of memory: RAMBlockTable.Entry
  ) throws(MemoryMapError) {
    let size = range.last - range.start
    guard range.offset <= memory.usedLength, size < memory.usedLength - range.offset else {
      throw .contradiction(
        """
        the range at \(hexadecimal(range.start)) reaches beyond the \(memory.usedLength) bytes of \
        RAM block \(memory.name)
        """)
    }
    guard range.last < 1 << 60, range.start % GuestMemoryMap.pageSize == 0,
      range.offset % GuestMemoryMap.pageSize == 0
    else {
      throw .contradiction(
        "the range of \(range.name) at \(hexadecimal(range.start)) is not made of whole pages")
    }
    let start = max(range.start, GuestMemoryMap.lowestAddress)
    let end = (range.last + 1) / GuestMemoryMap.pageSize * GuestMemoryMap.pageSize
    guard start < end else { return }
    segments.append(
      Segment(
        guestPhysicalStart: start, length: end - start, block: index(of: memory),
        blockName: memory.name, offsetInBlock: range.offset + start - range.start))
  }

  private mutating func index(of memory: RAMBlockTable.Entry) -> Int {
    if let index = blocks.firstIndex(where: { $0.name == memory.name }) { return index }
    blocks.append(
      Block(name: memory.name, usedLength: memory.usedLength, pageSize: memory.pageSize))
    return blocks.count - 1
  }

  /// Two addresses for one page of a block would make "dead" depend on which of them one looks at.
  private func checkThatNothingIsMappedTwice() throws(MemoryMapError) {
    let sorted = segments.sorted { ($0.block, $0.offsetInBlock) < ($1.block, $1.offsetInBlock) }
    for (one, next) in zip(sorted, sorted.dropFirst())
    where one.block == next.block && one.offsetInBlock + one.length > next.offsetInBlock {
      throw .contradiction(
        """
        the addresses \(hexadecimal(one.guestPhysicalStart)) and \
        \(hexadecimal(next.guestPhysicalStart)) are the same part of RAM block \(one.blockName)
        """)
    }
    for (one, next) in zip(segments, segments.dropFirst()) where one.end > next.guestPhysicalStart {
      throw .contradiction(
        "two ranges cover the address \(hexadecimal(next.guestPhysicalStart))")
    }
  }
}
