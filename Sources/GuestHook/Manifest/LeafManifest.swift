/// Which leaf pages of a database were in its cache, so that they can be read back: after a
/// migration, or after a restart. It lies next to the database, as ``fileName`` in its home directory.
public struct LeafManifest: Equatable, Sendable {
  public static let fileName = "leafcutter.manifest"

  public var database: DatabaseIdentity
  public var tables: [Table]

  public init(database: DatabaseIdentity, tables: [Table]) {
    self.database = database
    self.tables = tables
  }

  public var leafCount: Int { tables.reduce(0) { $0 + $1.leaves.count } }

  /// One table's file and its leaves, in the order of their place in the file.
  public struct Table: Equatable, Sendable {
    /// WiredTiger's name of the file, `file:NAME.wt` or `file:NAME.wti`.
    public var uri: String
    /// What the table was created with, as a number: a table of the same name that was dropped and
    /// created again has another one.
    public var creation: UInt64
    public var leaves: LeafList

    public init(uri: String, creation: UInt64, leaves: LeafList) {
      self.uri = uri
      self.creation = creation
      self.leaves = leaves
    }
  }

  /// What the engine calls its files: tables and column groups, and indexes.
  private static let suffixes = [".wt", ".wti"]

  /// Whether `uri` is `file:` and the relative name of a `.wt` or `.wti` file below the home directory: no
  /// empty, `.` or `..` components, no control characters.
  public static func isTable(_ uri: String) -> Bool {
    guard uri.utf8.count <= ManifestFormat.maximumURI, uri.hasPrefix("file:"),
      let suffix = suffixes.first(where: { uri.hasSuffix($0) }),
      uri.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != 0x5c })
    else { return false }
    let components = uri.dropFirst(5).split(separator: "/", omittingEmptySubsequences: false)
    return components.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
      && components.last.map { $0 != suffix } ?? false
  }
}

/// Tells one database from another. WiredTiger writes no identity of its own, so it is taken from the
/// file `WiredTiger` in the home directory, which is written once, when the database is created: the
/// time of that writing, and the checksum of the content (the engine's version text). A copy that
/// keeps file times is the same database; any other copy counts as another one, and its manifest is
/// refused rather than guessed about.
public struct DatabaseIdentity: Equatable, Sendable {
  /// Modification time of the file, nanoseconds since 1970.
  public var created: UInt64
  /// CRC-32C of its content.
  public var content: UInt32

  public init(created: UInt64, content: UInt32) {
    self.created = created
    self.content = content
  }
}

/// Why a manifest was not written, or is not used. The database is not touched by any of them.
public enum ManifestError: Error, Equatable, Sendable {
  case missing(path: String)
  case system(action: String, path: String, code: Int32, text: String)
  case notAManifest
  case version(UInt32)
  case damaged(what: String)
  /// It was not written.
  case unreadable(what: String)
  case otherDatabase
}

extension ManifestError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let path): "there is no manifest at \(path); save one first"
    case .system(let action, let path, _, let text): "cannot \(action) \(path): \(text)"
    case .notAManifest: "the manifest is not a Leafcutter manifest; save a new one"
    case .version(let version):
      """
      the manifest is of format \(version) and this release reads format \
      \(ManifestFormat.version); save a new one
      """
    case .damaged(let what): "the manifest is damaged (\(what)); save a new one"
    case .unreadable(let what):
      "nobody would read the manifest again (\(what)), so it is not written"
    case .otherDatabase:
      "the manifest belongs to another database than the one it lies next to; save a new one"
    }
  }
}
