/// How many bytes and pages go out and arrive, reckoned from what is sent: what the destination is held to.
struct StreamSizes {
  /// On all connections up to the prologue's end, without the main channel's prologue itself.
  let prologue: Int
  /// Of all that arrives, without the main channel's prologue and ending.
  let arriving: Int
  /// That the source sends while time is taken: pages and what stands around them.
  let timedInput: Int
  let dropped: Int
  /// Without what is zero already.
  let pagesSent: Int

  init(_ bench: BenchCase, _ memory: GuestMemory, beginning: Int) {
    dropped =
      bench.relay == .leafcutter
      ? memory.sent.reduce(0) { $0 + (bench.dead.isDead($1) ? 1 : 0) } : 0
    // The probe page once, the mark page twice.
    pagesSent = memory.pages + 3
    switch bench.mode {
    case .single:
      prologue = beginning
      let section = SourceStream.section
      let sections =
        (memory.pages + SourceStream.pagesInSection - 1) / SourceStream.pagesInSection
      timedInput =
        memory.pages * (8 + GuestMemory.pageSize)
        + sections * (section.open.count + section.close.count)
      arriving = prologue + timedInput - dropped * (GuestMemory.pageSize - 1)
    case .multifd:
      let header = SourceStream.packetHeader
      prologue =
        beginning + bench.channels * SourceStream.channelBeginning(0).count + header
        + 2 * GuestMemory.pageSize
      timedInput = StreamSizes.packets(memory)
      arriving =
        prologue + timedInput - dropped * GuestMemory.pageSize + header + GuestMemory.pageSize
        + bench.channels * SourceStream.synchronisation.count
    }
  }

  /// All pages in packets, in bytes.
  static func packets(_ memory: GuestMemory) -> Int {
    memory.pages / SourceStream.pagesInPacket * SourceStream.packetHeader
      + memory.pages * GuestMemory.pageSize
  }
}
