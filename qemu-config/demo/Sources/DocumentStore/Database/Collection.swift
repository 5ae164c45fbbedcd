/// The store's two tables: the collection (record id → BSON document) and the index (user key → record id).
public enum Collection {
  public static let collectionURI = "table:collection"
  public static let indexURI = "table:index"
  public static let tables = [collectionURI, indexURI]

  /// Leaves of 32 KB and a checksum over whole blocks, as MongoDB configures its collections.
  public static func create(in session: Session, _ shape: CollectionShape) throws(DatabaseError) {
    let metadata =
      "app_metadata=(documents=\(shape.documents),document_bytes=\(shape.documentBytes),seed=\(shape.seed))"
    try session.create(
      collectionURI,
      "key_format=q,value_format=u,block_compressor=snappy,leaf_page_max=32KB,checksum=on,\(metadata)"
    )
    try session.create(
      indexURI,
      "key_format=S,value_format=q,prefix_compression=true,leaf_page_max=32KB,checksum=on")
  }

  /// Reads the shape that ``create(in:_:)`` left in the metadata.
  public static func shape(in session: Session) throws(DatabaseError) -> CollectionShape {
    let action = "find the collection"
    let metadata = try session.openCursor("metadata:")
    defer { metadata.close() }
    guard try metadata.search(key: collectionURI) else {
      throw DatabaseError(action, because: "the database has none; make one with 'load'")
    }
    let written = try ConfigurationText(try metadata.valueString()).group("app_metadata")
    guard let written,
      let documents = try written.value("documents").flatMap({ Int64($0) }), documents > 0,
      let bytes = try written.value("document_bytes").flatMap({ Int($0) }),
      CollectionShape.documentBytesAllowed.contains(bytes),
      let seed = try written.value("seed").flatMap({ UInt64($0) })
    else {
      throw DatabaseError(action, because: "its metadata does not say its shape; load it anew")
    }
    return CollectionShape(documents: documents, documentBytes: bytes, seed: seed)
  }
}
