import HookLink

/// A set of guest-physical pages, in bitmaps of 128 MiB of memory each, made where a page is.
struct FrameSet {
  /// 128 MiB in pages; 4 KiB of bitmap.
  private static let chunkPages: UInt64 = 1 << 15
  private static let chunkWords = 512

  /// Where a chunk's words begin.
  private var starts: [UInt64: Int] = [:]
  private var words: [UInt64] = []
  private var lastChunk = UInt64.max
  private var lastStart = 0

  mutating func insert(_ page: UInt64) {
    let chunk = page / FrameSet.chunkPages
    if chunk != lastChunk {
      if let start = starts[chunk] {
        lastStart = start
      } else {
        lastStart = words.count
        starts[chunk] = lastStart
        words.append(contentsOf: repeatElement(0, count: FrameSet.chunkWords))
      }
      lastChunk = chunk
    }
    let bit = page % FrameSet.chunkPages
    words[lastStart + Int(bit / 64)] |= 1 << (bit % 64)
  }

  /// A page that is not in it stays out.
  mutating func remove(_ page: UInt64) {
    guard let start = starts[page / FrameSet.chunkPages] else { return }
    let bit = page % FrameSet.chunkPages
    words[start + Int(bit / 64)] &= ~(1 << (bit % 64))
  }

  var count: UInt64 { words.reduce(0) { $0 + UInt64($1.nonzeroBitCount) } }

  /// Its runs, by rising page.
  func ranges() -> [PageRange] {
    var ranges: [PageRange] = []
    for (chunk, start) in starts.sorted(by: { $0.key < $1.key }) {
      for index in 0..<FrameSet.chunkWords where words[start + index] != 0 {
        for bit in 0..<64 where words[start + index] & (1 << UInt64(bit)) != 0 {
          let page = chunk * FrameSet.chunkPages + UInt64(index * 64 + bit)
          if let last = ranges.last, last.first + last.count == page {
            ranges[ranges.count - 1].count += 1
          } else {
            ranges.append(PageRange(first: page, count: 1))
          }
        }
      }
    }
    return ranges
  }

  /// The pieces of a report: neighbouring chunks together, up to what one message carries.
  func pieces() -> [HeldPages] {
    let chunksPerPiece = HeldPages.maximumBitmap / (FrameSet.chunkWords * 8)
    var pieces: [HeldPages] = []
    var previous: UInt64?
    var chunksInPiece = 0
    for (chunk, start) in starts.sorted(by: { $0.key < $1.key }) {
      if previous.map({ $0 + 1 }) != chunk || chunksInPiece == chunksPerPiece {
        pieces.append(HeldPages(firstPage: chunk * FrameSet.chunkPages, bitmap: []))
        chunksInPiece = 0
      }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(FrameSet.chunkWords * 8)
      for word in words[start..<start + FrameSet.chunkWords] {
        for index in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(index * 8))) }
      }
      pieces[pieces.count - 1].bitmap.append(contentsOf: bytes)
      previous = chunk
      chunksInPiece += 1
    }
    return pieces
  }
}
