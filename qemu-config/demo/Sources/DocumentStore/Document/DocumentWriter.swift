import CBSON

/// Encodes documents into one buffer that is used again and again. Belongs to one thread.
@safe public final class DocumentWriter {
  private let shape: CollectionShape
  private let document: OpaquePointer
  private var text: FieldText

  public init(_ shape: CollectionShape) {
    self.shape = shape
    text = FieldText(byteCount: shape.documentBytes - DocumentLayout.overhead)
    // libbson aborts the process when memory runs out; it never returns NULL.
    unsafe document = bson_sized_new(shape.documentBytes)
  }

  deinit { unsafe bson_destroy(document) }

  /// Encodes `version` of a document and lends its bytes for the duration of the call.
  public func withDocument<Result, Failure: Error>(
    recordID: Int64, version: Int64, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    text.fill(shape: shape, recordID: recordID, version: version)
    // libbson's own document; every name is static text and every length that of its bytes. An append
    // fails only beyond 2 GiB.
    unsafe bson_reinit(document)
    unsafe bson_append_int64(document, "_id", 3, recordID)
    unsafe UserKey(recordID: recordID).withCString { key in
      _ = unsafe bson_append_utf8(document, "key", 3, key, Int32(UserKey.length))
    }
    unsafe bson_append_int64(document, "version", 7, version)
    unsafe text.words.withUnsafeBytes { letters in
      let start = unsafe letters.baseAddress!.assumingMemoryBound(to: CChar.self)
      let share = text.byteCount / DocumentLayout.fields
      for field in 0..<DocumentLayout.fields {
        let isLast = field == DocumentLayout.fields - 1
        let length = isLast ? text.byteCount - share * field : share
        let name = DocumentLayout.fieldNames[field]
        _ = unsafe name.utf8Start.withMemoryRebound(to: CChar.self, capacity: 6) {
          unsafe bson_append_utf8(document, $0, 6, start + share * field, Int32(length))
        }
      }
    }
    unsafe bson_append_int64(document, "checksum", 8, 0)
    let count = unsafe Int(UnsafePointer<bson_t>(document).pointee.len)
    // The document's own memory, which nobody else sees yet; the checksum is its last element.
    let bytes = unsafe UnsafeMutableRawPointer(mutating: bson_get_data(document))!
    let checksum = unsafe DocumentLayout.checksum(
      of: UnsafeRawBufferPointer(start: bytes, count: count).bytes, recordID: recordID)
    unsafe bytes.storeBytes(of: checksum.littleEndian, toByteOffset: count - 9, as: UInt64.self)
    return try unsafe body(UnsafeRawBufferPointer(start: bytes, count: count).bytes)
  }
}
