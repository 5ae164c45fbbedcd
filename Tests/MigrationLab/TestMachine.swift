import Foundation
import Glibc
import StreamProxy

/// A QEMU of its own with the firmware guest, its memory in files, and two QMP sockets: one for the
/// test, one for the proxy.
public final class TestMachine: Sendable {
  /// Of each block of the layout.
  public let memory: [GuestMemoryFile]
  public let qmp: QMPClient
  /// Of a QMP server for the proxy alone.
  public let proxySocket: String
  private let process: Process
  private let log: String

  /// How a machine is made.
  struct Configuration {
    var name: String
    var directory: String
    var release: QEMURelease
    /// Of the machine type, e.g. `10.0`.
    var machineVersion: String
    var layout: GuestLayout
    /// Waits for a migration.
    var isDestination = false
    var paused = false
    var encrypted = false
    var arguments: [String] = []
    /// Memory of another machine to use in place of its own.
    var shares: TestMachine?
  }

  init(_ machine: Configuration) throws {
    let firmware = "\(machine.directory)/firmware"
    try Firmware.image.write(to: URL(filePath: firmware))
    let prefix = "\(machine.directory)/\(machine.name)"
    let layout = machine.layout
    let files: [GuestMemoryFile?] = try layout.blocks.enumerated().map { index, block in
      if let other = machine.shares { return try GuestMemoryFile(sharing: other.memory[index]) }
      if layout.hugePages { return nil }
      return try GuestMemoryFile(named: "\(machine.name)-\(block.name)", size: block.size)
    }
    proxySocket = "\(prefix).qmp2"
    log = "\(prefix).log"
    var arguments =
      machine.release.arguments + [
        "-machine", layout.machine(machine.machineVersion), "-accel", "tcg", "-cpu",
        Firmware.processor, "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none",
        "-bios", firmware,
        "-qmp", "unix:\(prefix).qmp,server=on,wait=off",
        "-qmp", "unix:\(proxySocket),server=on,wait=off",
      ]
    arguments += layout.arguments(files: files, plugged: machine.isDestination)
    arguments += layout.compatibility(with: machine.machineVersion, of: machine.release)
    if machine.isDestination { arguments += ["-incoming", "defer"] }
    if machine.paused { arguments += ["-S"] }
    if machine.encrypted {
      let end = machine.isDestination ? "server" : "client"
      arguments += ["-object", "tls-creds-anon,id=tls0,endpoint=\(end)"]
    }
    let process = Process()
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: log)
    process.standardOutput = FileHandle.nullDevice
    try BoundProcess.run(process, machine.release.program, arguments + machine.arguments)
    let number = process.processIdentifier
    Leftovers.add(number)
    self.process = process
    do {
      qmp = try TestMachine.connect(to: "\(prefix).qmp", of: process)
      memory = try zip(files, layout.blocks).map { file, block in
        try file ?? GuestMemoryFile(anonymousOf: number, size: block.size)
      }
    } catch {
      Leftovers.kill(number)
      let complaints = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      throw LabError("QEMU \(machine.release.version) does not start: \(complaints)\(error)")
    }
  }

  deinit {
    qmp.close()
    kill()
  }

  /// Does not wait for its end: Foundation would, on a thread that the tests need.
  public func kill() { Leftovers.kill(process.processIdentifier) }

  public var complaints: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

  private static func connect(to path: String, of process: Process) throws -> QMPClient {
    for _ in 0..<400 where process.isRunning {
      if let client = try? QMPClient.connect(to: .unix(path: path)) { return client }
      usleep(25_000)
    }
    return try QMPClient.connect(to: .unix(path: path))
  }

  // MARK: The guest

  /// Has the guest fill its memory and begin to change it; returns when it is filled.
  func fill(_ content: GuestContent) throws {
    func write(_ ranges: [Range<UInt64>], at list: Int) throws {
      guard ranges.count <= Firmware.Mailbox.capacity else {
        throw LabError("\(content.layout.name) has more pieces than the guest's lists take")
      }
      for (index, range) in (ranges + [0..<0]).enumerated() {
        memory[0].write(range.lowerBound, at: list + index * 16)
        memory[0].write(range.upperBound, at: list + index * 16 + 8)
      }
    }
    try write(content.filled.flatMap { $0 }, at: Firmware.Mailbox.fillList)
    try write(content.changing, at: Firmware.Mailbox.changeList)
    memory[0].write(GuestContent.markAddress, at: Firmware.Mailbox.markAddress)
    memory[0].write(UInt32(1), at: Firmware.Mailbox.request)
    for _ in 0..<3000 where process.isRunning {
      if memory[0].word(UInt32.self, at: Firmware.Mailbox.done) == 1 { return }
      usleep(10_000)
    }
    throw LabError("the guest does not fill its memory: \(complaints)")
  }

  /// Plugs what of the layout is to be plugged with the guest running.
  func plug(_ layout: GuestLayout) throws {
    struct DIMM: Encodable {
      var driver = "pc-dimm"
      var id: String
      var memdev: String
      var addr: UInt64
    }
    for block in layout.blocks {
      guard case .dimm(let address, true) = block.use else { continue }
      try qmp.execute(
        "device_add",
        arguments: DIMM(id: "dimm-\(block.name)", memdev: block.name, addr: address))
    }
  }
}
