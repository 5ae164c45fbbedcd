import CWiredTiger
import Testing

@testable import WiredTigerExtension

/// The layouts against the header of the engine they are for. The installed header is 3.2.1's.
struct LayoutTests {
  private let layout = EngineLayout.known[0]

  private func slot<Root>(_ member: PartialKeyPath<Root>) -> Int32? {
    MemoryLayout<Root>.offset(of: member).map { Int32($0 / MemoryLayout<Int>.size) }
  }

  @Test func theHeaderIsThatOfTheFirstLayout() {
    let version = EngineLayout.Version(
      major: WIREDTIGER_VERSION_MAJOR, minor: WIREDTIGER_VERSION_MINOR,
      patch: WIREDTIGER_VERSION_PATCH)
    #expect(layout.versions.contains(version))
  }

  @Test func connectionMethodsAreWhereTheHeaderPutsThem() {
    #expect(unsafe layout.connection.slots[.close] == slot(\WT_CONNECTION.close))
    #expect(unsafe layout.connection.slots[.reconfigure] == slot(\WT_CONNECTION.reconfigure))
    #expect(unsafe layout.connection.slots[.home] == slot(\WT_CONNECTION.get_home))
    #expect(unsafe layout.connection.slots[.openSession] == slot(\WT_CONNECTION.open_session))
    let words = MemoryLayout<WT_CONNECTION>.size / MemoryLayout<Int>.size
    #expect(layout.connection.first + layout.connection.count == Int32(words))
  }

  @Test func sessionMethodsAreWhereTheHeaderPutsThem() {
    #expect(unsafe layout.session.slots[.close] == slot(\WT_SESSION.close))
    #expect(unsafe layout.session.slots[.openCursor] == slot(\WT_SESSION.open_cursor))
    #expect(unsafe layout.session.slots[.checkpoint] == slot(\WT_SESSION.checkpoint))
    let words = unsafe MemoryLayout<WT_SESSION>.size / MemoryLayout<Int>.size
    #expect(layout.session.first + layout.session.count == Int32(words))
  }

  @Test func cursorMethodsAreWhereTheHeaderPutsThem() {
    #expect(unsafe layout.cursor.slots[.next] == slot(\WT_CURSOR.next))
    #expect(unsafe layout.cursor.slots[.reset] == slot(\WT_CURSOR.reset))
    #expect(unsafe layout.cursor.slots[.searchNear] == slot(\WT_CURSOR.search_near))
    #expect(unsafe layout.cursor.slots[.close] == slot(\WT_CURSOR.close))
    // Swift does not see variadic members; they lie right before the first that it sees.
    let compare = unsafe slot(\WT_CURSOR.compare) ?? 0
    #expect(layout.cursor.slots[.key] == compare - 4)
    #expect(layout.cursor.slots[.value] == compare - 3)
    #expect(layout.cursor.slots[.setKey] == compare - 2)
  }

  @Test(arguments: [
    ("a=1,b=(c=2,d=(e=3)),f=\"x,y\",g", ["a": "1", "b": "(c=2,d=(e=3))", "f": "x,y", "g": ""]),
    ("", [:]), (",,", [:]), ("(", ["(": ""]), ("a=", ["a": ""]), ("a=\"", ["a": "\""]),
  ])
  func configurationStringsAreRead(text: String, expected: [String: String]) {
    let pairs = EngineConfiguration(text).pairs
    #expect(Dictionary(pairs.map { ($0.key, $0.value) }) { $1 } == expected)
  }

  @Test func sizesAreReadWithTheirUnits() {
    #expect(EngineConfiguration.size("4096") == 4096)
    #expect(EngineConfiguration.size("4KB") == 4096)
    #expect(EngineConfiguration.size("1G") == 1 << 30)
    #expect(EngineConfiguration.size("12B") == 12)
    #expect(EngineConfiguration.size("x") == nil)
    #expect(EngineConfiguration.size("99999999999999P") == nil)
  }

  @Test func packedIntegersEndWithTheirBytes() {
    func read(_ bytes: [UInt8]) -> UInt64? {
      var reader = PackedReader(bytes[...])
      return reader.integer()
    }
    #expect(read([0x80]) == 0)
    #expect(read([0xbf]) == 63)
    #expect(read([0xc0, 0x00]) == 64)
    #expect(read([0xdf, 0xff]) == 8255)
    #expect(read([0xe1, 0x00]) == 8256)
    #expect(read([0xe2, 0x01, 0x00]) == 8512)
    for bytes: [UInt8] in [[], [0xc0], [0xe2, 0x01], [0xef], [0x10]] { #expect(read(bytes) == nil) }
  }
}
