import StreamSamples
import Testing

@testable import RelayBench

/// A turn counts only if the destination has seen every page where it belongs.
@Suite struct ArrivedRecordsTests {
  private let beginning = 7

  /// A stream of three pages, one of which has been dropped.
  private func stream(thirdPage: Int) -> [UInt8] {
    var build = StreamBuilder("arrival", pageBits: 12)
    build.announce([.init(GuestMemory.block, pages: 4096)])
    build.put([UInt8](repeating: 9, count: beginning))
    build.reopen(2, id: 2)
    build.page(0, 600, content: content(of: 600))
    build.zero(0, 601)
    build.endOfSection()
    build.reopen(3, id: 2)
    build.page(0, 602, content: content(of: thirdPage))
    build.endOfSection()
    build.tail()
    return build.sample.bytes
  }

  private func content(of page: Int) -> [UInt8] {
    let word = GuestMemory.firstWord(of: page)
    return (0..<GuestMemory.pageSize).map {
      $0 < 8 ? UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) : 1
    }
  }

  private func read(_ bytes: [UInt8], splitAt split: Int) throws -> ArrivedRecords {
    var records = ArrivedRecords(after: beginning)
    // The array is alive during the calls.
    let consumed = try unsafe bytes[..<split].withUnsafeBytes { try unsafe records.read($0) }
    let rest = try unsafe bytes[consumed...].withUnsafeBytes { try unsafe records.read($0) }
    #expect(consumed + rest == bytes.count)
    return records
  }

  @Test func everySplitIsReadTheSame() throws {
    let bytes = stream(thirdPage: 602)
    for split in 0...bytes.count {
      let records = try read(bytes, splitAt: split)
      #expect(records.pages == 2 && records.zeroPages == 1)
    }
  }

  @Test func aPageInAnotherPlaceIsNoticed() {
    #expect(throws: BenchError.self) { try read(stream(thirdPage: 603), splitAt: 0) }
  }

  @Test func aMissingByteIsNoticed() {
    var bytes = stream(thirdPage: 602)
    bytes.remove(at: beginning + 30)
    #expect(throws: BenchError.self) { try read(bytes, splitAt: 0) }
  }
}
