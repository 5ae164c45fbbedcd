/// The BSON elements of a document, in order: `_id` (int64, the record id), `key` (string),
/// `version` (int64, counts the updates), `field0` … `field9` (string) and `checksum` (int64): XXH64,
/// seeded with the record id, of everything between the length and the checksum's own element.
enum DocumentLayout {
  static let fields = 10
  static let fieldNames: [StaticString] = [
    "field0", "field1", "field2", "field3", "field4",
    "field5", "field6", "field7", "field8", "field9",
  ]
  /// The int32 in front (BSON specification 1.1).
  static let lengthBytes = 4
  /// Type, "checksum" with its NUL, int64, and the document's closing NUL.
  static let checksumBytes = 1 + 9 + 8 + 1
  /// All that is not field text: `_id`, `key`, `version`, and per field type, name, length and NUL.
  static let overhead =
    lengthBytes + (1 + 4 + 8) + (1 + 4 + 4 + UserKey.length + 1) + (1 + 8 + 8)
    + fields * (1 + 7 + 4 + 1) + checksumBytes

  static func checksum(of document: RawSpan, recordID: Int64) -> UInt64 {
    XXH64.checksum(
      of: document.extracting(lengthBytes..<document.byteCount - checksumBytes),
      seed: UInt64(bitPattern: recordID))
  }
}
