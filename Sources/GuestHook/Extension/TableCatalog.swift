import LeafManifest

/// The database's row-store tables and indexes and where their last checkpoints' trees begin, from the engine's
/// metadata.
struct TableCatalog: Sendable {
  struct Table: Sendable {
    /// See ``LeafManifest/isTable(_:)``.
    var uri: String
    var allocationSize: UInt64
    /// See ``LeafManifest/Table/creation``.
    var creation: UInt64
    /// The root page of the last checkpoint; nil where there is none or the tree is empty.
    var root: BlockAddress?
  }

  var tables: [Table] = []
  /// Tables that cannot be listed, with the reason of the first.
  var leftOut = 0
  var leftOutReason = ""

  /// Reads the metadata, all at once: its cursor stands on a record all the time.
  static func current(_ session: Session) throws(EngineError) -> TableCatalog {
    let read = session.engine.rollbackGate.pass {
      Result { () throws(EngineError) in try TableCatalog(session) }
    }
    return try read.get()
  }

  /// The engine's own files do not count.
  private init(_ session: Session) throws(EngineError) {
    let cursor = try session.openCursor("metadata:", "")
    while try cursor.next() {
      let (key, value) = try cursor.texts()
      guard key.hasPrefix("file:"), !key.hasPrefix("file:WiredTiger") else { continue }
      do throws(Unlisted) {
        // A program may give its files other names, and then nobody knows what is in them.
        guard LeafManifest.isTable(key) else { throw .init(reason: "is no .wt or .wti file") }
        tables.append(try Table(uri: key, metadata: EngineConfiguration(value)))
      } catch {
        leftOut += 1
        leftOutReason = "\(key) \(error.reason)"
      }
    }
  }

  struct Unlisted: Error {
    var reason: String
  }
}

extension TableCatalog.Table {
  init(uri: String, metadata: EngineConfiguration) throws(TableCatalog.Unlisted) {
    // Once for all the keys: there are thousands of tables.
    let pairs = metadata.pairs
    func value(_ key: String) -> String? { pairs.last { $0.key == key }?.value }
    // The engine writes both for every table, so what lacks one has not been understood.
    guard let keyFormat = value("key_format"), let checkpoint = value("checkpoint") else {
      throw .init(reason: "has metadata that cannot be read")
    }
    guard keyFormat != "r" else { throw .init(reason: "is a column store") }
    guard ["", "none", nil].contains(value("collator")) else {
      throw .init(reason: "has a collator of its own")
    }
    let encryption = EngineConfiguration.list(value("encryption") ?? "")["name"]
    guard ["", "none", nil].contains(encryption) else { throw .init(reason: "is encrypted") }
    guard let size = EngineConfiguration.size(value("allocation_size") ?? "4KB"), size > 0 else {
      throw .init(reason: "has an unknown allocation_size")
    }
    self.uri = uri
    allocationSize = size
    creation = TableCatalog.Table.digest(
      [uri]
        + ["id", "key_format", "value_format", "allocation_size", "block_compressor"].map {
          value($0) ?? ""
        })
    root = try TableCatalog.Table.root(checkpoint, allocationSize: size)
  }

  /// FNV-1a, 64 bits, over the texts with a zero byte after each.
  private static func digest(_ texts: [String]) -> UInt64 {
    texts.reduce(0xcbf2_9ce4_8422_2325) { hash, text in
      (Array(text.utf8) + [0]).reduce(hash) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
  }

  /// The root's address in the checkpoint with the highest order. Its cookie, in hexadecimal, is a
  /// version byte and then the root's block address.
  private static func root(
    _ checkpoints: String, allocationSize: UInt64
  ) throws(TableCatalog.Unlisted) -> BlockAddress? {
    let last = EngineConfiguration.list(checkpoints).pairs
      .map { EngineConfiguration.list($0.value) }
      .max { (Int($0["order"] ?? "") ?? 0) < (Int($1["order"] ?? "") ?? 0) }
    guard let last, let cookie = last["addr"], !cookie.isEmpty else { return nil }
    let digits = Array(cookie.utf8)
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
    }
    var reader = PackedReader(bytes[...])
    guard bytes.count * 2 == digits.count, reader.byte() == 1,
      let address = BlockAddress(&reader, allocationSize: allocationSize)
    else { throw .init(reason: "has a checkpoint of an unknown format") }
    return address.size == 0 ? nil : address
  }
}
