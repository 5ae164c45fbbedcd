/// Why an operation did not do what it should.
public enum OperationFault: Error, Equatable, Sendable, CustomStringConvertible {
  case document(DocumentFault)
  /// The index has no entry for a user key that exists.
  case notInIndex
  /// The index names another record.
  case indexDisagrees
  /// The index names a record that the collection does not have.
  case notInCollection
  case database(DatabaseError)

  public var description: String {
    switch self {
    case .document(let fault): "\(fault)"
    case .notInIndex: "the index has no entry for the user key"
    case .indexDisagrees: "the index names another record"
    case .notInCollection: "the collection lacks a record that the index names"
    case .database(let error): "\(error)"
    }
  }

  /// Runs calls of the database as a part of an operation.
  static func wrap<Result>(
    _ body: () throws(DatabaseError) -> Result
  ) throws(OperationFault) -> Result {
    do { return try body() } catch { throw .database(error) }
  }
}
