import CBSON
import Glibc

/// Parses and checks documents. Belongs to one thread.
@safe public final class DocumentReader {
  // libbson asks for 128-byte alignment, which Swift does not give to locals.
  private let documentMemory = UnsafeMutableRawPointer.allocate(
    byteCount: MemoryLayout<bson_t>.size, alignment: 128)
  private let elementMemory = unsafe UnsafeMutableRawPointer.allocate(
    byteCount: MemoryLayout<bson_iter_t>.size, alignment: 128)
  private var document: OpaquePointer { unsafe OpaquePointer(documentMemory) }
  private var element: OpaquePointer { unsafe OpaquePointer(elementMemory) }

  public init() {}

  deinit {
    unsafe documentMemory.deallocate()
    unsafe elementMemory.deallocate()
  }

  /// Parses the document and checks that it is this record's and that its checksum is right.
  ///
  /// - Returns: The document's version.
  /// - Throws: ``DocumentFault``.
  public func check(_ bytes: RawSpan, recordID: Int64) throws(DocumentFault) -> Int64 {
    // The length is checked against the document's own by libbson before it reads further, and the
    // bytes outlive the call, which keeps no pointer into them afterwards.
    try unsafe bytes.withUnsafeBytes { buffer throws(DocumentFault) in
      let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
      guard let start = unsafe start, unsafe bson_init_static(document, start, buffer.count),
        unsafe bson_iter_init(element, document)
      else { throw .notBSON }
    }
    try advance("_id", BSON_TYPE_INT64)
    guard unsafe bson_iter_int64(element) == recordID else { throw .otherRecord }
    try advance("key", BSON_TYPE_UTF8)
    let keyMatches = unsafe UserKey(recordID: recordID).withCString { expected in
      unsafe strcmp(bson_iter_utf8(element, nil), expected) == 0
    }
    guard keyMatches else { throw .otherKey }
    try advance("version", BSON_TYPE_INT64)
    let version = unsafe bson_iter_int64(element)
    for name in DocumentLayout.fieldNames { try advance(name, BSON_TYPE_UTF8) }
    try advance("checksum", BSON_TYPE_INT64)
    let stored = unsafe UInt64(bitPattern: bson_iter_int64(element))
    guard unsafe !bson_iter_next(element), bytes.byteCount >= DocumentLayout.overhead else {
      throw .unexpectedField
    }
    guard DocumentLayout.checksum(of: bytes, recordID: recordID) == stored else { throw .checksum }
    return version
  }

  private func advance(_ name: StaticString, _ type: bson_type_t) throws(DocumentFault) {
    // The iterator stands on the document of the running check; both names end in NUL.
    let matches = unsafe name.utf8Start.withMemoryRebound(
      to: CChar.self, capacity: name.utf8CodeUnitCount + 1
    ) { expected in
      unsafe bson_iter_next(element) && strcmp(bson_iter_key(element), expected) == 0
        && bson_iter_type(element) == type
    }
    guard matches else { throw .unexpectedField }
  }
}
