/// WiredTiger's own check of each table's blocks and tree, on a database that nobody has open.
public struct TableCheck: Sendable {
  public struct Result: Equatable, Sendable {
    public var tables = 0
    public var failed = 0
  }

  private let home: String
  private let options: DatabaseOptions

  public init(home: String, _ options: DatabaseOptions) {
    self.home = home
    var options = options
    // The extension of the environment belongs to a database that serves; this one is only looked at.
    options.honoursEnvironment = false
    self.options = options
  }

  /// - Throws: ``DatabaseError`` where the database cannot be opened or closed.
  public func run() throws(DatabaseError) -> Result {
    let database = try Database(home, options)
    let session = try database.openSession()
    var result = Result()
    for table in Collection.tables {
      result.tables += 1
      do {
        try session.verify(table)
      } catch {
        result.failed += 1
        logLine("\(error)")
      }
    }
    try database.close()
    return result
  }
}
