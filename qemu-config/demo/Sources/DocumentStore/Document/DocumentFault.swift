/// What can be wrong with a document that was read.
public enum DocumentFault: Error, Equatable, Hashable, Sendable, CaseIterable {
  case notBSON
  case unexpectedField
  case otherRecord
  case otherKey
  case checksum
  /// The checksum is right, but it is not what this version of the document was written with.
  case content
  /// An older version than one that was committed: an update is lost.
  case lostUpdate
}

extension DocumentFault: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notBSON: "the value is not a BSON document"
    case .unexpectedField: "a field is missing, in excess or of another type"
    case .otherRecord: "the document carries another record's id"
    case .otherKey: "the document carries another user key"
    case .checksum: "the document's checksum does not match"
    case .content: "the document is not what was written"
    case .lostUpdate: "the document is older than a version that was committed"
    }
  }
}
