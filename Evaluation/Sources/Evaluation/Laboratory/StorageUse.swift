import Lab

/// What a guest's disk was asked for.
struct StorageUse: Decodable {
  struct Device: Decodable {
    struct Statistics: Decodable {
      var readBytes: UInt64
      var readOperations: UInt64
      private enum CodingKeys: String, CodingKey {
        case readBytes = "rd_bytes"
        case readOperations = "rd_operations"
      }
    }
    var stats: Statistics
  }

  var bytes: Double
  var reads: Double

  /// By `query-blockstats`; the guest has one disk.
  static func read(_ machine: VirtualMachine) throws(LabError) -> StorageUse {
    do {
      let devices = try machine.qmp.execute("query-blockstats", returning: [Device].self)
      return StorageUse(
        bytes: devices.reduce(0) { $0 + Double($1.stats.readBytes) },
        reads: devices.reduce(0) { $0 + Double($1.stats.readOperations) })
    } catch {
      throw machine.error("\(error)")
    }
  }
}
