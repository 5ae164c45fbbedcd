/// Fills an empty database.
public enum Loader {
  /// Creates both tables and bulk-loads them, each on a thread of its own, then takes a checkpoint.
  public static func load(_ database: Database, _ shape: CollectionShape) throws(DatabaseError) {
    let session = try database.openSession()
    try Collection.create(in: session, shape)
    let results = inParallel("load", 2) { part -> DatabaseError? in
      do throws(DatabaseError) {
        if part == 0 {
          try loadCollection(database, shape)
        } else {
          try loadIndex(database, shape)
        }
        return nil
      } catch {
        return error
      }
    }
    for error in results { if let error { throw error } }
    try session.checkpoint()
  }

  private static func loadCollection(
    _ database: Database, _ shape: CollectionShape
  ) throws(DatabaseError) {
    let session = try database.openSession()
    let cursor = try session.openCursor(Collection.collectionURI, "bulk")
    let writer = DocumentWriter(shape)
    for id in 1...shape.documents {
      try writer.withDocument(recordID: id, version: 0) { document throws(DatabaseError) in
        try cursor.insert(id: id, document)
      }
    }
    cursor.close()
    try session.close()
  }

  private static func loadIndex(
    _ database: Database, _ shape: CollectionShape
  ) throws(DatabaseError) {
    let session = try database.openSession()
    let cursor = try session.openCursor(Collection.indexURI, "bulk")
    // A bulk load takes its keys in order.
    let entries = (1...shape.documents).map { (hash: UserKey.hash(of: $0), id: $0) }
      .sorted { $0.hash < $1.hash }
    for entry in entries { try cursor.insert(key: UserKey(hash: entry.hash), id: entry.id) }
    cursor.close()
    try session.close()
  }
}
