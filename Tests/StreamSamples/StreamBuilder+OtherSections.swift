// What surrounds RAM: `migration/block-dirty-bitmap.c`, `migration/block.c`, `hw/vfio/migration.c`
// and `hw/virtio/virtio-mem.c`.

extension StreamBuilder {
  /// virtio-mem's plugged bitmap: a FULL section in front of the pages.
  public mutating func earlyVirtioMem(id: UInt32 = 17, units: Int = 70) {
    open(4, id: id, "0000:00:02.0/virtio-mem-device-early", version: 1)
    put(integer: UInt64(0x1_4000_0000))
    put(integer: UInt64(units) << 21)
    put(integer: UInt64(1) << 21)
    put(integer: UInt32(0))
    put(integer: UInt64(1) << 21)
    // It looks like a section's header: only its length tells where it ends.
    let words = (units + 63) / 64
    put((0..<words * 8).map { [0x7e, 0, 0, 0, 17, 1, 0, 0][$0 % 8] })
    close()
  }

  public mutating func startDirtyBitmap(id: UInt32) {
    open(1, id: id, "dirty-bitmap", version: 1)
    put(0x1c)
    put(name: "drive0")
    put(name: "bitmap0")
    put(integer: UInt32(65_536))
    put(0x01)
    put(0x01)
    close()
  }

  /// Bits, a stretch of zeroes, flags that take four bytes, and the end.
  public mutating func endDirtyBitmap(id: UInt32) {
    reopen(3, id: id)
    put(0x40)
    put(integer: UInt64(128))
    put(integer: UInt32(8))
    put(integer: UInt64(8))
    put([1, 2, 3, 4, 5, 6, 7, 8])
    put(0x42)
    put(integer: UInt64(256))
    put(integer: UInt32(8))
    put([0x80, 0x80, 0x00, 0x20])
    put([0x80, 0x01])
    close()
  }

  public mutating func startDiskBlocks(id: UInt32) {
    open(1, id: id, "block", version: 1)
    put(integer: UInt64(2))
    close()
  }

  /// - Parameter chunk: whether a chunk of 1 MiB is there, not only one of zeroes.
  public mutating func partDiskBlocks(id: UInt32, end: Bool, chunk: Bool) {
    reopen(end ? 3 : 2, id: id)
    put(integer: UInt64(2048) << 9 | 0x09)
    put(name: "drive0")
    if chunk {
      put(integer: UInt64(4096) << 9 | 0x01)
      put(name: "drive0")
      put([UInt8](repeating: 0x7e, count: 1 << 20))
    }
    put(integer: UInt64(50) << 9 | 0x04)
    put(integer: UInt64(2))
    close()
  }

  public enum VFIOTag: UInt64 {
    case endOfState = 0xffff_ffff_ef10_0001
    case setup = 0xffff_ffff_ef10_0003
    case data = 0xffff_ffff_ef10_0004
    case initialDataSent = 0xffff_ffff_ef10_0005
  }

  /// The body of a VFIO section; DATA carries `data`.
  public mutating func vfio(_ tags: [VFIOTag], data: [UInt8] = [0x7e, 0, 0, 0, 9]) {
    for tag in tags {
      put(integer: tag.rawValue)
      if tag == .data {
        put(integer: UInt64(data.count))
        put(data)
      }
    }
    close()
  }
}
