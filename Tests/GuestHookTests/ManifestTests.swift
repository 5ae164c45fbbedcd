import Checksum
import Foundation
import LeafManifest
import Testing

struct ManifestTests {
  private let manifest: LeafManifest = {
    var leaves = LeafList()
    leaves.append(offset: 4096, size: 28672, key: [])
    leaves.append(offset: 32768, size: 4096, key: Array("user0001\0".utf8))
    leaves.append(offset: 1 << 40, size: 32768, key: [0xff, 0])
    var index = LeafList()
    index.append(offset: 8192, size: 4096, key: [1])
    return LeafManifest(
      database: DatabaseIdentity(created: 1_700_000_000_123_456_789, content: 0x1234_5678),
      tables: [
        .init(uri: "file:documents.wt", creation: 77, leaves: leaves),
        .init(uri: "file:index/1-2.wt", creation: 78, leaves: index),
      ])
  }()

  /// The bytes with a checksum that fits them.
  private func sealed(_ bytes: [UInt8]) -> [UInt8] {
    let checksum = CRC32C.checksum(of: bytes.dropLast(4))
    return bytes.dropLast(4) + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> ($0 * 8)) }
  }

  @Test func whatIsWrittenIsReadBack() throws {
    let empty = LeafManifest(database: manifest.database, tables: [])
    for value in [manifest, empty] {
      #expect(try ManifestFormat.decode(ManifestFormat.encode(value)) == value)
    }
  }

  @Test func aDamagedByteIsNoticedWhereverItIs() {
    let good = ManifestFormat.encode(manifest)
    for position in good.indices {
      for bit in 0..<8 {
        var bytes = good
        bytes[position] ^= 1 << UInt8(bit)
        #expect(throws: ManifestError.self) { try ManifestFormat.decode(bytes) }
      }
    }
  }

  @Test func aTruncatedOrLongerFileIsRefused() {
    let good = ManifestFormat.encode(manifest)
    for count in 0..<good.count {
      #expect(throws: ManifestError.self) { try ManifestFormat.decode(Array(good[..<count])) }
    }
    for count in 0..<good.count - 4 {
      #expect(throws: ManifestError.self) {
        try ManifestFormat.decode(sealed(Array(good[..<count]) + [0, 0, 0, 0]))
      }
    }
    #expect(throws: ManifestError.self) { try ManifestFormat.decode(good + [0]) }
  }

  @Test func countsAndLengthsThatLieAreRefusedEvenWithAFittingChecksum() {
    let good = ManifestFormat.encode(manifest)
    for position in 16..<good.count - 4 {
      for value: UInt8 in [0, 1, 0x40, 0x7f, 0x80, 0xff] where good[position] != value {
        var bytes = good
        bytes[position] = value
        // It may be another good manifest; it must not trap, hang or take memory.
        let decoded = try? ManifestFormat.decode(sealed(bytes))
        #expect((decoded?.leafCount ?? 0) <= good.count / 16)
      }
    }
  }

  @Test func aKeyOfAGigabyteIsRefused() {
    var bytes = ManifestFormat.encode(manifest)
    // Header 52, then uri length 4 and 17 bytes, creation 8, count 8, offset 8, size 4.
    let keyLength = 52 + 4 + 17 + 8 + 8 + 8 + 4
    bytes.replaceSubrange(keyLength..<keyLength + 4, with: [0, 0, 0, 0x40])
    #expect(throws: ManifestError.damaged(what: "a key in file:documents.wt has 1073741824 bytes"))
    {
      try ManifestFormat.decode(sealed(bytes))
    }
  }

  @Test func manyTablesTakeNoMoreMemoryThanTheirBytes() throws {
    var other = manifest
    other.tables = Array(repeating: manifest.tables[1], count: 1000)
    let bytes = ManifestFormat.encode(other)
    let keys = try ManifestFormat.decode(bytes).tables.map { $0.leaves.keyBytes.capacity }
    #expect(keys.reduce(0, +) <= 2 * bytes.count)
  }

  @Test func anotherFormatIsNamed() {
    var bytes = ManifestFormat.encode(manifest)
    bytes[16] = 2
    #expect(throws: ManifestError.version(2)) { try ManifestFormat.decode(bytes) }
    #expect(throws: ManifestError.notAManifest) { try ManifestFormat.decode(Array("hello".utf8)) }
  }

  @Test(arguments: [
    "file:../x.wt", "file:/etc/x.wt", "file:a/../x.wt", "file:a//x.wt", "file:./x.wt", "file:.wt",
    "file:a/.wt", "file:.wti", "file:a.wtx", "file:a.wtib", "file:../a.wti", "table:x", "file:x",
    "x.wt", "file:x\n.wt", "file:a\\x.wt", "",
  ])
  func onlyFilesBelowTheHomeAreTables(uri: String) {
    #expect(!LeafManifest.isTable(uri))
    var other = manifest
    other.tables[0].uri = uri
    #expect(throws: ManifestError.self) {
      try ManifestFormat.decode(ManifestFormat.encode(other))
    }
  }

  @Test func theFileIsReplacedAsAWholeAndReadBack() throws {
    let home = FileManager.default.temporaryDirectory.path + "/manifest-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: home) }
    let path = home + "/" + LeafManifest.fileName
    #expect(throws: ManifestError.missing(path: path)) { try LeafManifest.read(fromHome: home) }
    try manifest.write(toHome: home)
    #expect(try LeafManifest.read(fromHome: home) == manifest)
    try LeafManifest(database: manifest.database, tables: []).write(toHome: home)
    #expect(try LeafManifest.read(fromHome: home).leafCount == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: home) == [LeafManifest.fileName])
    try manifest.write(toHome: home)
    #expect(throws: ManifestError.self) { try manifest.write(toHome: home + "/nowhere") }
  }

  /// Who has written one keeps no other list of the leaves.
  @Test func whatWouldNotBeReadAgainIsNotWrittenAndTheOldOneStays() throws {
    let home = FileManager.default.temporaryDirectory.path + "/manifest-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: home) }
    try manifest.write(toHome: home)
    func expectRefusal(
      _ change: (inout [LeafManifest.Table]) -> Void, limit: Int = ManifestFormat.maximumLength,
      because words: String
    ) throws {
      var other = manifest
      change(&other.tables)
      let error = #expect(throws: ManifestError.self) {
        try other.write(toHome: home, limit: limit)
      }
      #expect(error?.description.contains(words) == true, "\(error.debugDescription)")
      #expect(try LeafManifest.read(fromHome: home) == manifest)
      #expect(try FileManager.default.contentsOfDirectory(atPath: home) == [LeafManifest.fileName])
    }
    let size = ManifestFormat.encode(manifest).count
    try expectRefusal({ _ in }, limit: size - 1, because: "it would have \(size) bytes")
    try expectRefusal(
      { $0 = Array(repeating: $0[1], count: ManifestFormat.maximumTables + 1) },
      because: "it would name 1048577 tables")
    try expectRefusal(
      {
        let key = [UInt8](repeating: 0, count: ManifestFormat.maximumKey + 1)
        $0[1].leaves.append(offset: 0, size: 4096, key: key)
      }, because: "a key in file:index/1-2.wt has 1048577 bytes")
    try expectRefusal({ $0[0].uri = "file:../x.wt" }, because: "'file:../x.wt' is not the name")
    try manifest.write(toHome: home, limit: size)
    #expect(try LeafManifest.read(fromHome: home) == manifest)
  }

  @Test func databasesAreToldApart() throws {
    let home = FileManager.default.temporaryDirectory.path + "/identity-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: home) }
    #expect(throws: ManifestError.self) { try DatabaseIdentity.read(fromHome: home) }
    let file = home + "/WiredTiger"
    try Data("WiredTiger\nWiredTiger 3.2.1\n".utf8).write(to: URL(fileURLWithPath: file))
    let first = try DatabaseIdentity.read(fromHome: home)
    #expect(try DatabaseIdentity.read(fromHome: home) == first)
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: file)
    let second = try DatabaseIdentity.read(fromHome: home)
    #expect(second != first)
    #expect(second.created == 1_000_000_000)
  }
}
