import Testing

@testable import StreamProxy

/// What the destination says on the return path (migration/migration.c, enum mig_rp_message_type).
struct ReturnPathReaderTests {
  private static let pong: [UInt8] = [0, 2, 0, 4, 0, 0, 0, 1]
  private static let pages: [UInt8] =
    [0, 3, 0, 19] + [UInt8](repeating: 0, count: 12) + [6] + Array("pc.ram".utf8)
  private static let acknowledged: [UInt8] = [0, 7, 0, 0]
  private static let shut: [UInt8] = [0, 1, 0, 4]

  /// Its length is outside of the message's.
  private static let bitmap: [UInt8] =
    [0, 5, 0, 7, 6] + Array("pc.ram".utf8) + [0, 0, 0, 0, 0, 0, 0, 16]
    + [UInt8](repeating: 1, count: 16) + [1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]

  @Test(arguments: [UInt8(0), 1])
  func whatSHUTSaysIsFoundAfterEveryOtherMessage(value: UInt8) {
    let bytes =
      ReturnPathReaderTests.pong + ReturnPathReaderTests.pages + ReturnPathReaderTests.bitmap
      + ReturnPathReaderTests.acknowledged + ReturnPathReaderTests.shut
    for size in [1, 3, 1000] {
      var reader = ReturnPathReader()
      var rest = bytes[...]
      while !rest.isEmpty {
        reader.read(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      #expect(reader.shut == nil)
      reader.read([0, 0, 0, value])
      #expect(reader.shut == UInt32(value))
    }
  }

  @Test(arguments: [[22, 3, 1, 0], [0, 0, 0, 0], [0, 8, 0, 0], [0, 1, 0, 3]] as [[UInt8]])
  func behindWhatCannotBeReadNothingIsBelieved(bytes: [UInt8]) {
    var reader = ReturnPathReader()
    reader.read(bytes + ReturnPathReaderTests.shut + [0, 0, 0, 0])
    #expect(reader.shut == nil)
  }

  @Test func anEndlessBitmapIsNoSHUT() {
    var reader = ReturnPathReader()
    reader.read([0, 5, 0, 0] + [UInt8](repeating: 0xff, count: 8))
    reader.read(ReturnPathReaderTests.shut + [0, 0, 0, 0])
    #expect(reader.shut == nil)
  }
}
