/// A held page that shows where it is: by it the proxy learns that what QEMU says of the guest's memory
/// is true of one ``MemorySegment``, and drops nothing in a segment before a probe in it has passed.
///
/// The guardian writes it into a held frame before it reports, and leaves the frame out of the report:
/// it stays held and pinned, and crosses like any page, at the place in the stream where the proxy
/// expects that address, or the proxy's map is wrong.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 16 | ``signature`` |
/// | 16 | 16 | nonce: the ``MigrationID`` (two 64-bit words, high first) |
/// | 32 | 8 | the page's own guest-physical address |
///
/// Words are little-endian. The rest of the page is zero. It is written once: the last copy that
/// crosses equals the first.
public enum ProbePage {
  /// "leafcutter probe".
  public static let signature: [UInt8] = Array("leafcutter probe".utf8)

  /// The bytes at the page's beginning by which a copy is recognised: all three fields.
  public static func identification(
    for migration: MigrationID, at guestPhysicalAddress: UInt64
  ) -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(migration)
    writer.put(guestPhysicalAddress)
    return signature + writer.bytes
  }

  /// The whole page.
  public static func content(
    for migration: MigrationID, at guestPhysicalAddress: UInt64
  ) -> [UInt8] {
    let front = identification(for: migration, at: guestPhysicalAddress)
    return front + [UInt8](repeating: 0, count: Int(HeldPages.pageSize) - front.count)
  }
}
