import Foundation
import Testing

@testable import WiredTigerExtension

/// The layouts against the headers of the engines they are for, as the test database was compiled with.
@Suite(.serialized) struct LayoutTests {
  @Test(arguments: TestEngine.present)
  func methodsAreWhereTheHeaderPutsThem(engine: TestEngine) throws {
    let layout = try #require(EngineLayout.known.first { $0.name == engine.rawValue })
    let database = try DatabaseProcess(.init(engine: engine, documents: 10))
    defer { database.remove() }
    try database.start()
    let slots = try database.tell("slots").map { Int32($0) }
    let expected =
      [layout.connection.slots[.close], layout.connection.slots[.reconfigure]]
      + [layout.connection.slots[.home], layout.connection.slots[.openSession]]
      + [layout.connection.slots[.rollbackToStable]]
      + [layout.connection.first + layout.connection.count]
      + [layout.session.first, layout.session.slots[.close], layout.session.slots[.openCursor]]
      + [layout.session.slots[.checkpoint], layout.session.first + layout.session.count]
      + [layout.cursor.first, layout.cursor.slots[.key], layout.cursor.slots[.value]]
      + [layout.cursor.slots[.setKey], layout.cursor.slots[.next], layout.cursor.slots[.reset]]
      + [layout.cursor.slots[.searchNear], layout.cursor.slots[.close]]
      + [layout.cursor.first + layout.cursor.count]
    #expect(slots.map { Optional($0) } == expected)
  }

  /// An engine of which nothing is known, in this process.
  @Test(arguments: TestEngine.present)
  func methodsAreFoundByWhatTheyCallThemselves(engine: TestEngine) throws {
    let layout = try #require(EngineLayout.known.first { $0.name == engine.rawValue })
    let (home, connection) = unsafe try open(engine, "create")
    defer { try? FileManager.default.removeItem(atPath: home) }
    let unknown = unsafe try Engine(connection: connection, layouts: [])
    #expect(unknown.layout == "its own" && unknown.table == layout.connection)
    #expect(unknown.handleTables == EngineLayout.Handles())
    #expect(URL(filePath: unknown.home).standardized == URL(filePath: home).standardized)
    let cursor = try unknown.openSession("").openCursor("metadata:", "")
    #expect(unknown.handleTables == .init(session: layout.session, cursor: layout.cursor))
    #expect(try cursor.next())
    #expect(try cursor.texts().key == "metadata:")
  }

  /// One that cannot be read cannot be closed, and an engine has only so many.
  @Test(arguments: TestEngine.present)
  func sessionsThatCannotBeReadAreOpenedOnce(engine: TestEngine) throws {
    var layout = try #require(EngineLayout.known.first { $0.name == engine.rawValue })
    let (home, connection) = unsafe try open(engine, "create,session_max=5")
    defer { try? FileManager.default.removeItem(atPath: home) }
    layout.session.count += 1
    let strange = unsafe try Engine(connection: connection, layouts: [layout])
    for _ in 0..<200 {
      let error = #expect(throws: EngineError.self) { try strange.openSession("") }
      #expect(error?.description.contains("do not tell where they are") == true)
    }
    let session = unsafe try Engine(connection: connection).openSession("")
    try session.checkpoint()
  }

  /// Opens a new database of an engine in this process, for as long as that lives.
  private func open(
    _ engine: TestEngine, _ configuration: String
  ) throws -> (home: String, connection: UnsafeMutableRawPointer) {
    let home = NSTemporaryDirectory() + "/leafcutter-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    // The names and types are those of wiredtiger.h.
    let library = unsafe try #require(dlopen(engine.library, RTLD_NOW | RTLD_LOCAL))
    typealias Open =
      @convention(c) (
        UnsafePointer<CChar>, UnsafeMutableRawPointer?, UnsafePointer<CChar>,
        UnsafeMutablePointer<UnsafeMutableRawPointer?>
      ) -> Int32
    let open = unsafe unsafeBitCast(dlsym(library, "wiredtiger_open"), to: Open.self)
    var handle: UnsafeMutableRawPointer?
    #expect(unsafe open(home, nil, configuration, &handle) == 0)
    return unsafe (home, try #require(handle))
  }

  /// Each session of the program's would take one lock for all of them.
  @Test(arguments: TestEngine.present)
  func anOpenDatabaseHasItsOwnOpenSessionBack(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(engine: engine, documents: 100))
    defer { database.remove() }
    #expect(try database.tell("methods") == [1, 0])
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  /// As many methods as ever, and all of them the engine's: only their own names tell.
  @Test(arguments: TestEngine.present)
  func aDatabaseOfAnUnknownLayoutIsLeftAloneAndThatIsSaid(engine: TestEngine) throws {
    let database = try DatabaseProcess(
      .init(engine: engine, documents: 100, ownExtensions: ["test_disguise"]))
    defer { database.remove() }
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    #expect(database.complaints.contains("are not known to this release of Leafcutter"))
    #expect(!guardian.isAsked)
    #expect(try database.tell("verify") == [100, 0])
    #expect(try database.tell("close") == [0])
    #expect(database.waitForExit(seconds: 10))
  }

  @Test(arguments: [
    ("a=1,b=(c=2,d=(e=3)),f=\"x,y\",g", ["a": "1", "b": "(c=2,d=(e=3))", "f": "x,y", "g": ""]),
    (#"app_metadata="6\" disk",id=5"#, ["app_metadata": #"6\" disk"#, "id": "5"]),
    (#"a="\\",b=1"#, ["a": #"\\"#, "b": "1"]),
    ("", [:]), (",,", [:]), ("(", ["(": ""]), ("a=", ["a": ""]), ("a=\"", ["a": "\""]),
  ])
  func configurationStringsAreRead(text: String, expected: [String: String]) {
    let pairs = EngineConfiguration(text).pairs
    #expect(Dictionary(pairs.map { ($0.key, $0.value) }) { $1 } == expected)
  }

  /// A table whose leaves nobody lists is said to be left out, or its cache would be taken for small.
  @Test(arguments: [
    "", "key_format=u", "checkpoint=", #"app_metadata="x,key_format=u,checkpoint="#,
  ])
  func aTableWhoseMetadataIsNotUnderstoodIsLeftOut(metadata: String) {
    #expect(throws: TableCatalog.Unlisted.self) {
      try TableCatalog.Table(uri: "file:a.wt", metadata: EngineConfiguration(metadata))
    }
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
