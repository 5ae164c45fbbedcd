/// What every document of a collection can be computed from. It is kept in the collection's metadata,
/// so that whoever verifies needs no flags.
public struct CollectionShape: Equatable, Sendable {
  /// The record ids are 1 … documents.
  public var documents: Int64
  /// Size of one document as BSON, bytes.
  public var documentBytes: Int
  public var seed: UInt64

  /// Below it nothing is left for the fields; above it a document no longer fits well into a leaf.
  public static let documentBytesAllowed = 300...8192

  public init(documents: Int64, documentBytes: Int, seed: UInt64) {
    self.documents = documents
    self.documentBytes = documentBytes
    self.seed = seed
  }
}
