import Synchronization

/// The newest version of each document that this process knows to be committed. Whoever reads an older
/// one has found a lost update, which no checksum shows.
@safe public final class VersionLedger: @unchecked Sendable {
  // `@unchecked` and `@safe`: the elements are atomics, initialised here and never moved; the record
  // ids that index them are checked.
  private let newest: UnsafeMutablePointer<Atomic<UInt32>>
  private let documents: Int64

  public init(documents: Int64) {
    self.documents = documents
    unsafe newest = .allocate(capacity: Int(documents))
    for index in 0..<Int(documents) { unsafe (newest + index).initialize(to: Atomic(0)) }
  }

  deinit {
    unsafe newest.deinitialize(count: Int(documents))
    unsafe newest.deallocate()
  }

  /// The version that a read which begins now must at least see.
  public func atLeast(_ recordID: Int64) -> Int64 {
    precondition((1...documents).contains(recordID), "record ids are 1 to the number of documents")
    return Int64(unsafe newest[Int(recordID - 1)].load(ordering: .acquiring))
  }

  /// Notes that a version has been committed.
  public func committed(_ recordID: Int64, _ version: Int64) {
    precondition((1...documents).contains(recordID), "record ids are 1 to the number of documents")
    _ = unsafe newest[Int(recordID - 1)].max(
      UInt32(truncatingIfNeeded: version), ordering: .releasing)
  }
}
