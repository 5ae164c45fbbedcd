import FoundationEssentials
import Glibc
import Lab

/// Processor time, in seconds.
enum ProcessorTime {
  /// What a process that runs has taken in user and kernel mode, all its threads together (proc(5), `stat`,
  /// fields 14 and 15).
  static func of(_ pid: Int32) throws(LabError) -> Double {
    let file = "/proc/\(pid)/stat"
    // The second field is the name in brackets, which may have blanks in it; the third comes after.
    let text = ProcessorTime.text(file)
    guard let bracket = text.lastIndex(of: ")") else {
      throw LabError("\(file) does not say how long the process has run")
    }
    let fields = text[text.index(after: bracket)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
      throw LabError("\(file) does not say how long the process has run")
    }
    return seconds(user + system)
  }

  /// For what all processors of the host were busy since it began, or taken from it by its own host (proc(5),
  /// /proc/stat: all but `idle` and `iowait`; guests are in `user`). Interrupts are inside, because the kernel
  /// counts those that it handled while a process ran as that process' time too.
  static func host() throws(LabError) -> Double {
    let line = ProcessorTime.text("/proc/stat").prefix { $0 != "\n" }
    let ticks = line.split(separator: " ").dropFirst().map { Double($0) ?? 0 }
    guard ticks.count >= 8 else {
      throw LabError("/proc/stat does not say how long the processors were busy")
    }
    return seconds([0, 1, 2, 5, 6, 7].reduce(0) { $0 + ticks[$1] })
  }

  private static func seconds(_ ticks: Double) -> Double {
    ticks / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
  }

  /// Empty where the file cannot be read.
  private static func text(_ path: String) -> String {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
