/// One RAM block as the stream announces it in its MEM_SIZE list (`ram.c:ram_save_setup`).
public struct RAMBlock: Equatable, Sendable {
  /// QEMU's idstr, e.g. "pc.ram".
  public var name: String
  /// In bytes.
  public var usedLength: UInt64
  /// The block's host page size in bytes, where the stream carries it (post-copy with huge pages).
  public var hostPageSize: UInt64?
  /// The address field that x-ignore-shared adds: an offset in a memory region, no reliable
  /// guest-physical address.
  public var regionAddress: UInt64?

  public init(
    name: String, usedLength: UInt64, hostPageSize: UInt64? = nil, regionAddress: UInt64? = nil
  ) {
    self.name = name
    self.usedLength = usedLength
    self.hostPageSize = hostPageSize
    self.regionAddress = regionAddress
  }
}

/// A target page of a RAM block.
public struct PageAddress: Hashable, Sendable {
  /// Index into ``StreamEditor/blocks``.
  public var block: Int
  /// Index of the page in the block: offset divided by the target page size.
  public var page: Int

  public init(block: Int, page: Int) {
    self.block = block
    self.page = page
  }
}

/// The page whose copies prove that the guest still holds what it reported, and what is written
/// into them on their way.
public struct MarkRule: Sendable {
  public var address: PageAddress
  /// A copy is recognised by these bytes at this offset.
  public var identification: [UInt8]
  public var identificationOffset: Int
  /// These bytes are put over a recognised copy at this offset.
  public var verdict: [UInt8]
  public var verdictOffset: Int

  /// - Precondition: both lie inside a target page of 4096 bytes, and the verdict is at most 256 bytes.
  public init(
    address: PageAddress, identification: [UInt8], identificationOffset: Int, verdict: [UInt8],
    verdictOffset: Int
  ) {
    precondition(identificationOffset >= 0 && identificationOffset + identification.count <= 4096)
    precondition(verdictOffset >= 0 && verdictOffset + verdict.count <= 4096)
    // What one record can need of an edit list is limited.
    precondition(verdict.count <= 256)
    self.address = address
    self.identification = identification
    self.identificationOffset = identificationOffset
    self.verdict = verdict
    self.verdictOffset = verdictOffset
  }

  /// Where the identification lies in a page of so many bytes; nil where that is too small for the rule.
  func identificationRange(inPageOf size: Int) -> Range<Int>? {
    let end = identificationOffset + identification.count
    return end <= size && verdictOffset + verdict.count <= size ? identificationOffset..<end : nil
  }
}
