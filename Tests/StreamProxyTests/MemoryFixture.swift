import FoundationEssentials

@testable import StreamProxy

/// What a QEMU said about its memory, recorded from the release and with the arguments that stand at
/// each. Of the flat views other than that of `memory` only the first three ranges are kept.
struct MemoryFixture {
  var ramBlocks: String
  var flatViews: String
  var memoryBackends: [String]
  /// What query-memory-devices returned.
  var memoryDevices = "[]"

  func map() throws -> GuestMemoryMap {
    let devices = try JSONDecoder().decode(
      [QMPClient.MemoryDevice].self, from: Data(memoryDevices.utf8))
    return try GuestMemoryMap(
      ramBlocks: ramBlocks, flatViews: flatViews, memoryBackends: memoryBackends,
      memoryDevices: devices)
  }

  /// The same with some text put in place of other text in the flat views.
  func replacing(_ text: String, with other: String) -> MemoryFixture {
    var copy = self
    copy.flatViews = flatViews.replacing(text, with: other)
    return copy
  }
}

extension GuestMemoryMap {
  /// The index in ``blocks`` and the offset in bytes of a page, nil outside guest RAM.
  func locate(guestPhysicalPage page: UInt64) -> (block: Int, offset: UInt64)? {
    let (address, isBeyond) = page.multipliedReportingOverflow(by: GuestMemoryMap.pageSize)
    guard !isBeyond, let segment = segment(at: address) else { return nil }
    return (segment.block, segment.offsetInBlock + address - segment.guestPhysicalStart)
  }
}
