// Channels that do not begin like a main one, and rest on what it has told.

extension StreamEditor {
  /// More RAM blocks than any machine has; what names more is no stream of QEMU's.
  static let mostBlocks = 4096

  /// For a post-copy preempt channel: nothing but page records from its first byte on, with a current
  /// block of its own (`ram.c:ram_load_postcopy`); where the machine type is 7.2's or older, an EOS
  /// at the end. The point of no return has passed when it begins to speak.
  ///
  /// - Parameters:
  ///   - blocks: those of the main channel, to which ``DeadPages`` and ``MarkRule`` refer.
  ///   - targetPageSize: in bytes, a power of two.
  ///   - learnsBlocks: takes blocks that `blocks` lacks from the records that name them, and their
  ///     lengths for unlimited: for a record of the channel without its main one.
  public init(
    preemptChannelOf blocks: [RAMBlock], targetPageSize: Int = 4096, learnsBlocks: Bool = false
  ) {
    self.init()
    for block in blocks { announce(block) }
    self.learnsBlocks = learnsBlocks
    targetPageBits = UInt64(targetPageSize.trailingZeroBitCount)
    isPreempt = true
    state = .ramRecords
    seenFirstPage = true
    passedSwitchover = true
  }

  /// For the main channel of a post-copy recovery: commands and sections without preamble or START
  /// (`savevm.c:qemu_loadvm_state_main`). Blocks, sections and page size are those of the connection
  /// that broke, and the point of no return lies after it.
  public init(recoveryOf main: borrowing StreamEditor) {
    self.init()
    readsOnly = main.readsOnly
    assumesPageSize = main.assumesPageSize
    machine = main.machine
    targetPageBits = main.targetPageBits
    blocks = main.blocks
    blockIndices = main.blockIndices
    blockPages = blocks.map { _ in RoundCounters() }
    sections = main.sections.map {
      SectionCounters(id: $0.id, name: $0.name, instance: $0.instance, version: $0.version)
    }
    sectionIndices = main.sectionIndices
    ramSection = main.ramSection
    state = .element
    seenFirstPage = true
    passedSwitchover = true
  }

  /// Adds a block that records may name.
  mutating func announce(_ block: RAMBlock) {
    blockIndices[Array(block.name.utf8)] = blocks.count
    blocks.append(block)
    blockPages.append(RoundCounters())
  }

  /// The block of a record's name.
  mutating func block(named name: [UInt8]) throws(BypassReason) -> Int {
    if let index = blockIndices[name] { return index }
    let text = String(decoding: name, as: UTF8.self)
    // The name is looked up by the bytes that it was announced with.
    guard learnsBlocks, !name.isEmpty, blocks.count < StreamEditor.mostBlocks,
      Array(text.utf8) == name
    else { throw .unknownBlock(text) }
    announce(RAMBlock(name: text, usedLength: .max))
    return blocks.count - 1
  }
}
