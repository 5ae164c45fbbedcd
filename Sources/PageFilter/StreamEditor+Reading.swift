// What only a reader follows. An editor leaves such streams alone, because in them a page must not be
// dropped or nobody is served by it; their format delimits itself all the same.

extension StreamEditor {
  /// For a recorded stream that is looked at and not edited.
  ///
  /// - Parameter readsOnly: nothing will ever be dropped. Then XBZRLE and compressed pages, background
  ///   snapshots, COLO's first copy and the sections of ppc64 and s390x are followed, and where the
  ///   configuration does not name the target's page size, the first whole page tells it.
  public init(readsOnly: Bool) {
    self.init()
    self.readsOnly = readsOnly
    assumesPageSize = readsOnly
  }

  /// Bytes of a command that ``StreamCounters/commandBytes`` counts and that have not come yet.
  public var commandBytesToCome: UInt64 {
    if case .forward(let count, then: .element) = state { count } else { 0 }
  }

  /// All of PACKAGED has come: from here on a destination waits for a recovery where the connection breaks.
  public var hasWholePackage: Bool { packageEnd.map { $0 <= counters.bytesIn } ?? false }

  /// Bytes after a page record's header; nil where more input is needed to tell.
  ///
  /// - Parameter kind: PAGE or ZERO; of a reader also XBZRLE, a byte 1, a 16-bit length and a delta
  ///   (`ram.c:load_xbzrle`), or COMPRESS_PAGE, a 32-bit length and a zlib stream
  ///   (`ram-compress.c:ram_compress_save_page`).
  @inline(__always)
  func bodyLength(
    _ kind: UInt64, _ input: RawSpan, at body: Int
  ) throws(BypassReason) -> Int? {
    if kind == StreamFormat.RecordFlag.page { return targetPageSize }
    if kind == StreamFormat.RecordFlag.zero { return 1 }
    return try packedLength(kind, input, at: body)
  }

  private func packedLength(
    _ kind: UInt64, _ input: RawSpan, at body: Int
  ) throws(BypassReason) -> Int? {
    if kind == StreamFormat.RecordFlag.xbzrle {
      guard input.byteCount >= body + 3 else { return nil }
      let length = Int(input.bigEndian(UInt16.self, at: body + 1))
      guard input.bigEndian(UInt8.self, at: body) == 1, length <= targetPageSize else {
        throw .malformed("an XBZRLE record")
      }
      return 3 + length
    }
    guard input.byteCount >= body + 4 else { return nil }
    let length = Int(input.bigEndian(UInt32.self, at: body))
    // Destinations go by their zlib's compressBound(): zlib's own allows a few bytes more than a page, and
    // zlib-ng's, which some distributions have in its place, an eighth of it.
    let limit = targetPageSize + targetPageSize >> 3 + 64
    guard length <= limit else { throw .malformed("a compressed page") }
    return 4 + length
  }

  /// Whether the device states of a background snapshot begin with this FULL section. They are of
  /// the moment when it began, and stand after the last PART of RAM, which has no END
  /// (`migration.c:bg_migration_completion`). With COLO there is none (`options.c:check_caps_background_snapshot`).
  mutating func beginsSnapshotStates(_ name: String) -> Bool {
    guard readsOnly, !enablesCOLO, let ramSection, let index = sectionIndices[ramSection],
      sections[index].parts > 0, sections[index].ends == 0
    else { return false }
    isBackgroundSnapshot = true
    return true
  }

  /// COLO: checkpoints follow the first copy.
  public var enablesCOLO: Bool { commands[StreamFormat.Command.enableCOLO] != nil }

  enum HashTablePart: Equatable { case header, chunks }

  /// ppc64's hash table (`hw/ppc/spapr.c:htab_load`): the table's size at the beginning, or −1
  /// where the guest has none; elsewhere 0 and chunks, of which one without anything is the last.
  mutating func readHashTable(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, _ part: HashTablePart
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard part == .chunks else {
      guard available >= 4 else { return .needsInput }
      let size = input.bigEndian(UInt32.self, at: position)
      take(4, &position, &edits)
      state = size == 0 ? .hashTable(.chunks) : .footer
      return .done
    }
    guard available >= 8 else { return .needsInput }
    let head = input.bigEndian(UInt64.self, at: position)
    // A 32-bit index, 16 bits of valid entries, which follow, and 16 of invalid ones, which do not.
    let valid = head >> 16 & 0xffff
    take(8, &position, &edits)
    state = head == 0 ? .footer : .forward(valid * 16, then: .hashTable(.chunks))
    return .done
  }

  /// `hw/s390x/s390-stattrib.c:cmma_load`: a page's address with flags in its low bits.
  mutating func readStorageAttributes(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 8 else { return .needsInput }
    switch input.bigEndian(UInt64.self, at: position) & 0xfff {
    case 0x01:  // the end of the body
      take(8, &position, &edits)
      state = .footer
    case 0x02:  // a length, and an attribute for each page
      guard available >= 16 else { return .needsInput }
      let length = input.bigEndian(UInt64.self, at: position + 8)
      guard length < 1 << 40 else { throw .malformed("the length of s390 storage attributes") }
      take(16, &position, &edits)
      state = .forward(length, then: .storageAttributes)
    case 0x08:  // nothing more will come after this body
      take(8, &position, &edits)
    default:
      throw .malformed("a section of s390 storage attributes")
    }
    return .done
  }
}
