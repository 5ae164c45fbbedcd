// Streams in which more than RAM is sent while the guest runs.

extension SampleStream {
  /// - Parameter chunk: with 1 MiB of disk in it.
  public static func disks(chunk: Bool = false) -> SampleStream {
    var build = StreamBuilder("disks and their bitmaps\(chunk ? ", with a chunk" : "")")
    build.begin()
    build.startDiskBlocks(id: 1)
    build.startRAM([ram, rom])
    build.endOfSection()
    build.startDirtyBitmap(id: 3)
    build.partDiskBlocks(id: 1, end: false, chunk: chunk)
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.partDiskBlocks(id: 1, end: true, chunk: false)
    build.reopen(3, id: 2)
    build.lastRound()
    build.endDirtyBitmap(id: 3)
    build.tail()
    return build.sample
  }

  static func devices() -> SampleStream {
    var build = StreamBuilder("VFIO devices")
    build.begin()
    build.startRAM([ram, rom])
    build.endOfSection()
    build.open(1, id: 9, "0000:00:05.0/vfio", version: 1)
    build.vfio([.setup, .endOfState])
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(2, id: 9)
    build.vfio([.data, .data, .endOfState])
    build.reopen(2, id: 9)
    build.vfio([.initialDataSent])
    build.reopen(3, id: 2)
    build.lastRound()
    build.reopen(3, id: 9)
    build.vfio([.data, .endOfState])
    build.tail()
    return build.sample
  }

  /// Only the disks' dirty bitmaps are sent in post-copy: an ADVISE without sizes, and a switchover
  /// after the end of RAM.
  static func dirtyBitmapsPostcopy() -> SampleStream {
    var build = StreamBuilder("dirty bitmaps in post-copy")
    build.begin()
    build.command(3)
    build.startRAM([ram, rom])
    build.endOfSection()
    build.startDirtyBitmap(id: 3)
    build.reopen(2, id: 2)
    build.firstRound()
    build.endOfSection()
    build.reopen(3, id: 2)
    build.lastRound()
    build.packaged([0x08, 0, 4, 0, 0, 0x04, 0x03, 0x02, 0x7e, 0x08, 0, 5, 0, 0])
    build.endDirtyBitmap(id: 3)
    build.put(0x00)
    return build.sample
  }
}
