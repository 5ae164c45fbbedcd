import Checksum

/// The manifest's bytes. Integers are little-endian, nothing is aligned.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 16 | ``signature`` |
/// | 16 | 4 | format, ``version`` |
/// | 20 | 4 | number of tables, at most ``maximumTables`` |
/// | 24 | 8 | length of the file |
/// | 32 | 8 | number of leaves in all tables |
/// | 40 | 8 | ``DatabaseIdentity/created`` |
/// | 48 | 4 | ``DatabaseIdentity/content`` |
/// | 52 | | the tables |
/// | length − 4 | 4 | CRC-32C of everything before it |
///
/// A table:
///
/// | size | field |
/// |---|---|
/// | 4 + n | uri, with its length; see ``LeafManifest/isTable(_:)`` |
/// | 8 | ``LeafManifest/Table/creation`` |
/// | 8 | number of its leaves |
/// | | its leaves, by offset: offset 8, size 4, key 4 + n with its length |
public enum ManifestFormat {
  public static let signature: [UInt8] = Array("leafcutter leaf\n".utf8)
  public static let version: UInt32 = 1
  /// A manifest of more than this is neither written nor read; it would name 160 million leaves.
  public static let maximumLength = 8 << 30
  public static let maximumTables = 1 << 20
  public static let maximumURI = 4096
  /// WiredTiger keeps longer keys outside of its internal pages, where they are not listed.
  public static let maximumKey = 1 << 20
  static let headerSize = 52
  static let smallestTable = 4 + 8 + 8
  static let smallestLeaf = 8 + 4 + 4

  /// How many bytes ``encode(_:)`` makes.
  static func encodedSize(of manifest: LeafManifest) -> Int {
    manifest.tables.reduce(headerSize + 4) {
      $0 + smallestTable + $1.uri.utf8.count + $1.leaves.count * smallestLeaf
        + $1.leaves.keyBytes.count
    }
  }

  /// Whoever writes a manifest keeps no other list of its leaves, so what ``decode(_:)`` would refuse is
  /// refused before.
  static func expectReadable(_ manifest: LeafManifest, limit: Int) throws(ManifestError) {
    guard manifest.tables.count <= maximumTables else {
      throw .unreadable(
        what: "it would name \(manifest.tables.count) tables, \(maximumTables) at most")
    }
    let size = encodedSize(of: manifest)
    guard size <= min(limit, maximumLength) else {
      throw .unreadable(what: "it would have \(size) bytes, \(min(limit, maximumLength)) at most")
    }
    for table in manifest.tables {
      guard LeafManifest.isTable(table.uri) else {
        throw .unreadable(what: "'\(table.uri)' is not the name of a table's file")
      }
      let leaves = table.leaves
      let longest = (0..<leaves.count).lazy.map { leaves.keyRange($0).count }.max() ?? 0
      guard longest <= maximumKey else {
        throw .unreadable(what: "a key in \(table.uri) has \(longest) bytes, \(maximumKey) at most")
      }
    }
  }

  /// - Precondition: every table's uri and every key is within the limits above.
  public static func encode(_ manifest: LeafManifest) -> [UInt8] {
    let size = encodedSize(of: manifest)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    bytes.append(contentsOf: signature)
    put(version, into: &bytes)
    put(UInt32(manifest.tables.count), into: &bytes)
    put(UInt64(size), into: &bytes)
    put(UInt64(manifest.leafCount), into: &bytes)
    put(manifest.database.created, into: &bytes)
    put(manifest.database.content, into: &bytes)
    for table in manifest.tables {
      put(UInt32(table.uri.utf8.count), into: &bytes)
      bytes.append(contentsOf: table.uri.utf8)
      put(table.creation, into: &bytes)
      put(UInt64(table.leaves.count), into: &bytes)
      for index in 0..<table.leaves.count {
        let key = table.leaves.keyRange(index)
        put(table.leaves.offsets[index], into: &bytes)
        put(table.leaves.sizes[index], into: &bytes)
        put(UInt32(key.count), into: &bytes)
        bytes.append(contentsOf: table.leaves.keyBytes[key])
      }
    }
    put(CRC32C.checksum(of: bytes[...]), into: &bytes)
    return bytes
  }

  private static func put<Integer: FixedWidthInteger>(_ value: Integer, into bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: Integer.bitWidth, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Integer(shift)))
    }
  }

  /// Reads a manifest that nobody vouches for. Every count is checked against the bytes that are
  /// there before anything is allocated for it.
  public static func decode(_ bytes: [UInt8]) throws(ManifestError) -> LeafManifest {
    guard bytes.count >= signature.count, bytes.starts(with: signature) else {
      throw .notAManifest
    }
    guard bytes.count >= headerSize + 4 else { throw .damaged(what: "it ends in its header") }
    guard bytes.count <= maximumLength else { throw .damaged(what: "it is too long") }
    var reader = ManifestReader(bytes, from: signature.count, to: bytes.count - 4)
    let format: UInt32 = try reader.integer()
    // Before the checksum, whose place another format may have changed.
    guard format == version else { throw .version(format) }
    let tableCount: UInt32 = try reader.integer()
    let length: UInt64 = try reader.integer()
    guard length == UInt64(bytes.count) else {
      throw .damaged(what: "it says it has \(length) bytes and has \(bytes.count)")
    }
    var trailer = ManifestReader(bytes, from: bytes.count - 4, to: bytes.count)
    let checksum: UInt32 = try trailer.integer()
    guard CRC32C.checksum(of: bytes.dropLast(4)) == checksum else {
      throw .damaged(what: "its checksum is wrong")
    }
    let leafCount: UInt64 = try reader.integer()
    let identity = DatabaseIdentity(created: try reader.integer(), content: try reader.integer())
    guard tableCount <= maximumTables, Int(tableCount) * smallestTable <= reader.remaining else {
      throw .damaged(what: "it cannot hold \(tableCount) tables")
    }
    var manifest = LeafManifest(database: identity, tables: [])
    for _ in 0..<tableCount { manifest.tables.append(try reader.table()) }
    guard reader.remaining == 0 else { throw .damaged(what: "bytes follow the last table") }
    guard UInt64(manifest.leafCount) == leafCount else {
      throw .damaged(what: "it says it has \(leafCount) leaves and has \(manifest.leafCount)")
    }
    return manifest
  }
}

/// Reads a manifest's fields in order, each within the bytes that are there.
private struct ManifestReader {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  init(_ bytes: [UInt8], from start: Int, to end: Int) {
    self.bytes = bytes
    position = start
    self.end = end
  }

  var remaining: Int { end - position }

  mutating func integer<Integer: FixedWidthInteger & UnsignedInteger>(
    as type: Integer.Type = Integer.self
  ) throws(ManifestError) -> Integer {
    let raw = try take(MemoryLayout<Integer>.size)
    return raw.reversed().reduce(0) { $0 << 8 | Integer($1) }
  }

  mutating func take(_ count: Int) throws(ManifestError) -> ArraySlice<UInt8> {
    guard count <= remaining else { throw .damaged(what: "a field goes beyond its end") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  mutating func table() throws(ManifestError) -> LeafManifest.Table {
    let length = Int(try integer(as: UInt32.self))
    guard length <= ManifestFormat.maximumURI else {
      throw .damaged(what: "a table's name has \(length) bytes")
    }
    guard let uri = String(validating: try take(length), as: UTF8.self),
      LeafManifest.isTable(uri)
    else { throw .damaged(what: "a table's name is not that of a file of the database") }
    let creation: UInt64 = try integer()
    let count: UInt64 = try integer()
    guard count <= UInt64(remaining / ManifestFormat.smallestLeaf) else {
      throw .damaged(what: "it cannot hold the \(count) leaves of \(uri)")
    }
    var leaves = LeafList()
    // Not for the keys, of which only all tables together have no more than the bytes that are left.
    leaves.reserveCapacity(Int(count), keyBytes: 0)
    for _ in 0..<count {
      let offset: UInt64 = try integer()
      let size: UInt32 = try integer()
      let keyLength = Int(try integer(as: UInt32.self))
      guard keyLength <= ManifestFormat.maximumKey else {
        throw .damaged(what: "a key in \(uri) has \(keyLength) bytes")
      }
      leaves.append(offset: offset, size: size, key: try take(keyLength))
    }
    return LeafManifest.Table(uri: uri, creation: creation, leaves: leaves)
  }
}
