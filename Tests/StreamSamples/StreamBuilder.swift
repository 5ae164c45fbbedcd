/// Puts migration streams together as QEMU writes them (`migration/savevm.c`, `migration/ram.c`).
/// It shares nothing with the parser that it serves to test, its constants included.
public struct StreamBuilder {
  /// Sections end with a footer (off with `send-section-footer=off`).
  public var footers = true
  /// The configuration names the page size where it is not 4096 bytes; targets that have one size only
  /// do not.
  public var announcesPageSize = true
  public private(set) var sample: SampleStream
  private var openSection: UInt32 = 0
  private var inEnd = false
  private var lastBlock: Int?
  private var sawPage = false
  private var switched = false
  private var ramEnded = false

  /// - Parameter pageBits: 10 makes streams short enough to be split at every byte.
  public init(_ name: String, pageBits: Int = 10) {
    sample = SampleStream(
      name: name, bytes: [], pageSize: 1 << pageBits, blocks: [], records: [], stops: [])
  }

  public var offset: Int { sample.bytes.count }

  public mutating func put(_ bytes: [UInt8]) { sample.bytes += bytes }

  public mutating func put(_ byte: UInt8) { sample.bytes.append(byte) }

  /// Big-endian.
  public mutating func put<Integer: FixedWidthInteger>(integer value: Integer) {
    for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
      put(UInt8(truncatingIfNeeded: value >> Integer(shift)))
    }
  }

  /// A length in one byte, and the text.
  public mutating func put(name: String) {
    put(UInt8(name.utf8.count))
    put(Array(name.utf8))
  }

  // MARK: Preamble

  /// Magic and version.
  public mutating func magic(version: UInt32 = 3) {
    put(Array("QEVM".utf8))
    put(integer: version)
  }

  /// The configuration: machine type and page size, which only targets with several of them send.
  public mutating func configuration(machine: String = "pc-q35-10.0") {
    put(0x07)
    put(integer: UInt32(machine.utf8.count))
    put(Array(machine.utf8))
    guard sample.pageSize != 4096, announcesPageSize else { return }
    subsection("configuration/target-page-bits")
    put(integer: UInt32(sample.pageSize.trailingZeroBitCount))
  }

  public mutating func subsection(_ name: String) {
    put(0x05)
    put(name: name)
    put(integer: UInt32(1))
  }

  public mutating func capabilities(_ names: [String]) {
    subsection("configuration/capabilities")
    put(integer: UInt32(names.count))
    for name in names { put(name: name) }
  }

  public mutating func uuid() {
    subsection("configuration/uuid")
    put((0..<16).map { $0 })
  }

  /// Magic, configuration and an open return path: how an ordinary migration begins.
  public mutating func begin() {
    magic()
    configuration()
    command(1)
    command(2, [0, 0, 0, 1])
  }

  // MARK: Sections and commands

  public mutating func command(_ number: UInt16, _ payload: [UInt8] = []) {
    if [6, 7].contains(number), !switched, !ramEnded {
      switched = true
      sample.stops.append(.init(.postcopySwitchover, at: offset))
    }
    put(0x08)
    put(integer: number)
    put(integer: UInt16(payload.count))
    put(payload)
  }

  /// PACKAGED: the blob stands outside the command.
  public mutating func packaged(_ blob: [UInt8]) {
    var length = StreamBuilder("length")
    length.put(integer: UInt32(blob.count))
    command(7, length.sample.bytes)
    put(blob)
  }

  /// START (1) or FULL (4).
  public mutating func open(
    _ type: UInt8, id: UInt32, _ name: String, instance: UInt32 = 0, version: UInt32
  ) {
    put(type)
    put(integer: id)
    put(name: name)
    put(integer: instance)
    put(integer: version)
    openSection = id
  }

  /// PART (2) or END (3).
  public mutating func reopen(_ type: UInt8, id: UInt32) {
    put(type)
    put(integer: id)
    openSection = id
    inEnd = type == 3
  }

  public mutating func close() {
    guard footers else { return }
    put(0x7e)
    put(integer: openSection)
  }

  // MARK: RAM

  public mutating func startRAM(id: UInt32 = 2, _ blocks: [SampleStream.Block]) {
    open(1, id: id, "ram", version: 4)
    blockList(blocks)
  }

  /// The MEM_SIZE list.
  public mutating func blockList(_ blocks: [SampleStream.Block]) {
    sample.blocks = blocks
    let size = UInt64(sample.pageSize)
    put(integer: blocks.reduce(0) { $0 + UInt64($1.pages) * size } | 0x004)
    for block in blocks {
      put(name: block.name)
      put(integer: UInt64(block.pages) * size)
      if let size = block.hostPageSize { put(integer: size) }
      if let address = block.regionAddress { put(integer: address) }
      if let isShared = block.isShared { put(isShared ? 1 : 0) }
    }
    sample.stops.append(.init(.blockListKnown, at: offset))
  }

  /// Blocks that another channel has announced.
  public mutating func announce(_ blocks: [SampleStream.Block]) { sample.blocks = blocks }

  public mutating func multifdFlush() { put(integer: UInt64(0x200)) }

  /// EOS and the footer.
  public mutating func endOfSection() {
    if inEnd {
      sample.stops.append(.init(.endOfRAM, at: offset))
      ramEnded = true
    }
    inEnd = false
    put(integer: UInt64(0x010))
    close()
  }

  /// Names the block in the next record, as QEMU does after a switch to post-copy.
  public mutating func forgetBlock() { lastBlock = nil }

  /// A record of any kind: first word, and the name where the block is another one.
  public mutating func header(_ flag: UInt64, block: Int, page: Int) {
    let continues = lastBlock == block
    put(integer: UInt64(page * sample.pageSize) | flag | (continues ? 0x020 : 0))
    if !continues { put(name: sample.blocks[block].name) }
    lastBlock = block
  }

  public mutating func page(_ block: Int, _ page: Int, content: [UInt8]? = nil) {
    record(0x008, block, page, content ?? StreamBuilder.content(block, page, sample.pageSize))
  }

  public mutating func zero(_ block: Int, _ page: Int) { record(0x002, block, page, [0]) }

  private mutating func record(_ flag: UInt64, _ block: Int, _ page: Int, _ body: [UInt8]) {
    if !sawPage { sample.stops.append(.init(.firstPageRecord, at: offset)) }
    sawPage = true
    let start = offset
    header(flag, block: block, page: page)
    sample.records.append(
      .init(
        offset: start, headerLength: offset - start, place: .init(block, page),
        isZero: flag == 0x002))
    put(body)
  }

  /// Page contents that differ everywhere and hold what looks like records and footers.
  public static func content(_ block: Int, _ page: Int, _ size: Int) -> [UInt8] {
    let lure: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0x10, 0x7e, 0, 0, 0, 2, 1, 0, 0]
    return (0..<size).map { lure[$0 % lure.count] ^ UInt8(truncatingIfNeeded: page * 31 + block) }
  }

  // MARK: The end

  /// Device states, which carry no length, the end and their description.
  public mutating func tail(devices: [String] = ["timer", "cpu_common"], description: Bool = true) {
    for (index, name) in devices.enumerated() {
      open(4, id: UInt32(40 + index), name, version: 2)
      put((0..<37).map { UInt8(truncatingIfNeeded: $0 * (index + 3)) })
      close()
    }
    put(0x00)
    if description { self.description(devices: devices) }
  }

  /// The JSON at the end that lists the devices.
  ///
  /// - Parameter pageSize: the stream's own where it is nil.
  public mutating func description(devices: [String], pageSize: Int? = nil) {
    let list = devices.map { "{\"name\": \"\($0)\", \"instance_id\": 0, \"version\": 2}" }
    let text =
      "{\"page_size\": \(pageSize ?? sample.pageSize), \"devices\": [\(list.joined(separator: ", "))]}"
    put(0x06)
    put(integer: UInt32(text.utf8.count))
    put(Array(text.utf8))
  }
}
