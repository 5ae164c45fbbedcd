import FoundationEssentials
import Glibc
import Lab

/// What the machine is on which it is measured, and what is measured there.
enum HostDescription {
  /// - Throws: where QEMU, the guest's kernel (vmlinux) or the package of the database's engine is not there.
  static func current(
    accelerator: String, guestKernel: String, proxyProgram: String, files: LabFiles
  ) throws(LabError) -> [String: String] {
    [
      "qemu": try words(of: [MachineOptions.defaultQEMU, "--version"], files),
      // Its banner; the kernel's own format string has no digit there.
      "guest_kernel": try words(
        of: ["grep", "-a", "-o", "-m", "1", "Linux version [0-9][^ ]*", guestKernel], files),
      "wiredtiger": try words(
        of: ["dpkg-query", "-W", "-f", "${Version}", "libwiredtiger-dev"], files),
      "processors": "\(sysconf(Int32(_SC_NPROCESSORS_ONLN)))",
      "processor": value(of: "model name", in: "/proc/cpuinfo"),
      "leafcutter": try words(of: [proxyProgram, "--version"], files),
      "memory": memory,
      // What follows its version names one build of it.
      "kernel": String(text("/proc/sys/kernel/osrelease").prefix { $0 != "-" }),
      "accelerator": accelerator,
    ]
  }

  /// In whole GiB, rounded up: the kernel keeps some of it for itself, another build of it some pages more.
  private static var memory: String {
    let kilobytes = value(of: "MemTotal", in: "/proc/meminfo").prefix { $0.isNumber }
    guard let kilobytes = Int(kilobytes) else { return "" }
    let perGiB = 1 << 20
    return "\((kilobytes + perGiB - 1) / perGiB) GiB"
  }

  /// The first line that a program says.
  private static func words(
    of command: [String], _ files: LabFiles
  ) throws(LabError) -> String {
    let log = "\(files.scratch)/version.txt"
    try ChildProcess.run(command[0], command, log: log)
    return text(log).split(separator: "\n").first.map(String.init) ?? ""
  }

  /// What stands after the first `name: ` of a file; empty where it is not there.
  private static func value(of name: String, in path: String) -> String {
    for line in text(path).split(separator: "\n") where line.hasPrefix(name) {
      guard let colon = line.firstIndex(of: ":") else { continue }
      return trimmed(line[line.index(after: colon)...])
    }
    return ""
  }

  private static func text(_ path: String) -> String {
    let data = FileManager.default.contents(atPath: path)
    return data.map { trimmed(Substring(String(decoding: $0, as: UTF8.self))) } ?? ""
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0.isWhitespace }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
