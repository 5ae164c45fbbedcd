/// One entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
struct PagemapEntry {
  let word: UInt64

  init(_ word: UInt64) { self.word = word }

  /// The frame's number, which inside a guest is the guest-physical page number; 0 where the reader
  /// may not know it.
  var frame: UInt64 { word & (1 << 55 - 1) }

  /// In memory (bit 63), anonymous and private (bit 61 clear), mapped by this one process (bit 56):
  /// nobody but the holder can see or reuse it.
  static func isHeld(_ word: UInt64) -> Bool {
    word & (1 << 63 | 1 << 61 | 1 << 56) == 1 << 63 | 1 << 56
  }
}
