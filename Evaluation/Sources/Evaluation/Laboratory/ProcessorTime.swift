import FoundationEssentials
import Glibc
import Lab

/// Processor time of a process that runs.
enum ProcessorTime {
  /// Seconds in user and kernel mode of all its threads (proc(5), `stat`, fields 14 and 15); nil where
  /// there is no such process.
  static func seconds(of pid: Int32) -> Double? {
    guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else { return nil }
    // The second field is the name in brackets, which may have blanks in it; the third comes after.
    let text = String(decoding: data, as: UTF8.self)
    guard let bracket = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: bracket)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      return nil
    }
    return (user + system) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
  }
}

extension ProcessorTime {
  /// Seconds that all processors of the host were busy for programs since it began, or taken from it by its
  /// own host (proc(5), /proc/stat: `user`, `nice`, `system`, `steal`; guests are in `user`). Interrupts are
  /// left out: most of them are the wire between the two hosts.
  static func host() -> Double? {
    guard let file = unsafe fopen("/proc/stat", "r") else { return nil }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 512)
    // As many bytes as the array has, alive during the call.
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    let line = String(decoding: bytes[..<count], as: UTF8.self).prefix { $0 != "\n" }
    let ticks = line.split(separator: " ").dropFirst().map { Double($0) ?? 0 }
    guard ticks.count >= 8 else { return nil }
    let busy = [0, 1, 2, 7].reduce(0) { $0 + ticks[$1] }
    return busy / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
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
