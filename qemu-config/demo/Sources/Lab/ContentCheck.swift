extension StoreConsole {
  /// Stops the workload, has every document read and checked, and closes the database with
  /// WiredTiger's own verification. Takes minutes under emulation.
  ///
  /// - Returns: how many documents there are.
  /// - Throws: when a document is bad or a table does not verify.
  public func verifyEverything() throws(LabError) -> Int {
    try ask("halt", timeout: 60)
    let verified = try ask("verify", timeout: 900)
    guard let documents = verified["documents"].flatMap({ Int($0) }), verified["bad"] == "0" else {
      throw LabError("\(verified["bad"] ?? "?") documents are bad after the migration")
    }
    let closed = try ask("close", timeout: 900)
    guard closed["failed"] == "0" else {
      throw LabError("WiredTiger's verify failed for \(closed["failed"] ?? "?") tables")
    }
    return documents
  }
}
