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
