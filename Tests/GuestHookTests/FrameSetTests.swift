import HookLink
import Testing

@testable import Guardian

/// The report's bitmaps.
struct FrameSetTests {
  @Test("pieces name the pages that were put in, and each page once")
  func pieces() {
    var frames = FrameSet()
    let pages: [UInt64] = [256, 257, 1 << 15, (1 << 15) + 63, 5 << 20, 256]
    for page in pages { frames.insert(page) }
    #expect(frames.count == 5)
    let pieces = frames.pieces()
    #expect(pieces.map(\.firstPage) == [0, 5 << 20])
    #expect(pieces[0].bitmap.count == 8192)
    #expect(pieces[0].bitmap[32] == 3)
    #expect(pieces.reduce(0) { $0 + $1.count } == 5)
  }

  @Test("no piece is larger than one message carries")
  func limit() {
    var frames = FrameSet()
    for chunk in 0..<70 { frames.insert(UInt64(chunk) << 15) }
    let pieces = frames.pieces()
    #expect(pieces.count == 3)
    #expect(pieces.allSatisfy { $0.bitmap.count <= HeldPages.maximumBitmap })
    #expect(pieces.reduce(0) { $0 + $1.count } == 70)
  }

  @Test("runs are as long as they can be, and by rising page")
  func ranges() {
    var frames = FrameSet()
    let pages: [ClosedRange<UInt64>] = [90_000...90_000, 32_760...32_775, 63...64, 300...300]
    for run in pages { for page in run { frames.insert(page) } }
    #expect(
      frames.ranges() == [
        PageRange(first: 63, count: 2), PageRange(first: 300, count: 1),
        PageRange(first: 32_760, count: 16), PageRange(first: 90_000, count: 1),
      ])
    #expect(FrameSet().ranges() == [])
  }

  @Test("only present, private, exclusively mapped pages count as held")
  func entries() {
    let held: UInt64 = 1 << 63 | 1 << 56 | 77
    #expect(PagemapEntry.isHeld(held))
    #expect(PagemapEntry(held).frame == 77)
    #expect(!PagemapEntry.isHeld(held & ~(1 << 63)))
    #expect(!PagemapEntry.isHeld(held & ~(1 << 56)))
    #expect(!PagemapEntry.isHeld(held | 1 << 61))
  }

  @Test("a port is named by its name, its device or a socket's path")
  func portAddress() {
    #expect(PortAddress("org.leafcutter.hook.0") == .named("org.leafcutter.hook.0"))
    #expect(PortAddress("/dev/vport1p1") == .device("/dev/vport1p1"))
    #expect(PortAddress("unix:a/b") == .unix("a/b"))
    #expect(PortAddress("") == nil)
    #expect(PortAddress("a/b") == nil)
  }
}
