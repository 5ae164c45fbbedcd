import FoundationEssentials
import Glibc
import Lab

/// Processor time of a process that runs.
enum ProcessorTime {
  /// Seconds in user and kernel mode of all its threads (proc(5), `stat`, fields 14 and 15); nil where
  /// there is no such process.
  static func seconds(of pid: Int32) -> Double? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
    // The second field is the name in brackets, which may have blanks in it; the third comes behind.
    let text = String(decoding: data, as: UTF8.self)
    guard let bracket = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: bracket)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      return nil
    }
    return (user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
  }
}

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
