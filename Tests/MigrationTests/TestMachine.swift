import Foundation
import Glibc
import StreamProxy

/// A QEMU of its own with the firmware guest, its memory in a file, and two QMP sockets: one for the
/// test, one for the proxy.
final class TestMachine: Sendable {
  let memory: GuestMemoryFile
  let qmp: QMPClient
  let proxySocket: String
  private let process = Process()
  private let log: String

  /// - Parameter incoming: where it listens for a migration; nil starts the guest.
  init(
    name: String, in directory: String, machine: String = "pc-q35-10.0", incoming: String? = nil,
    paused: Bool = false, encrypted: Bool = false
  ) throws {
    let firmware = "\(directory)/firmware"
    try Firmware.image.write(to: URL(filePath: firmware))
    memory = GuestMemoryFile(
      path: "/dev/shm/leafcutter-test-\(getpid())-\(UInt32.random(in: 0 ..< .max))-\(name)",
      size: Firmware.memorySize)
    let testSocket = "\(directory)/\(name).qmp"
    proxySocket = "\(directory)/\(name).qmp2"
    log = "\(directory)/\(name).log"
    var arguments = [
      "-machine", "\(machine),memory-backend=ram", "-accel", "tcg", "-nodefaults",
      "-no-user-config", "-display", "none", "-vga", "none", "-bios", firmware,
      "-object",
      "memory-backend-file,id=ram,size=\(Firmware.memorySize),mem-path=\(memory.path),share=on",
      "-m", "\(Firmware.memorySize >> 20)M",
      "-qmp", "unix:\(testSocket),server=on,wait=off",
      "-qmp", "unix:\(proxySocket),server=on,wait=off",
    ]
    if incoming != nil { arguments += ["-incoming", "defer"] }
    if paused { arguments += ["-S"] }
    if encrypted {
      let end = incoming == nil ? "client" : "server"
      arguments += ["-object", "tls-creds-anon,id=tls0,endpoint=\(end)"]
    }
    process.executableURL = URL(
      filePath: TestMachine.program(isDestination: incoming != nil))
    process.arguments = arguments
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: log)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    Leftovers.add(process.processIdentifier)
    qmp = try TestMachine.connect(to: testSocket)
  }

  deinit {
    qmp.close()
    kill()
  }

  /// Does not wait for its end: Foundation would, on a thread that the tests need.
  func kill() { Leftovers.kill(process.processIdentifier) }

  /// The QEMU under test: a path in LEAFCUTTER_QEMU, and for the destination one in
  /// LEAFCUTTER_QEMU_DESTINATION, or else the distribution's.
  private static func program(isDestination: Bool) -> String {
    let environment = ProcessInfo.processInfo.environment
    let named = environment["LEAFCUTTER_QEMU"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    let other = isDestination ? environment["LEAFCUTTER_QEMU_DESTINATION"] : nil
    return other ?? named ?? "/usr/bin/qemu-system-x86_64"
  }

  var complaints: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

  private static func connect(to path: String) throws -> QMPClient {
    for _ in 0..<200 {
      if let client = try? QMPClient.connect(to: .unix(path: path)) { return client }
      usleep(50_000)
    }
    return try QMPClient.connect(to: .unix(path: path))
  }

  func setCapabilities(_ names: [String]) throws {
    guard !names.isEmpty else { return }
    try qmp.setMigrateCapabilities(Dictionary(uniqueKeysWithValues: names.map { ($0, true) }))
  }

  func set(_ parameters: [String: Parameter]) throws {
    guard !parameters.isEmpty else { return }
    try qmp.execute("migrate-set-parameters", arguments: parameters)
  }

  enum Parameter: Encodable {
    case number(Int)
    case text(String)

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .number(let value): try container.encode(value)
      case .text(let value): try container.encode(value)
      }
    }
  }

  func migrate(to uri: String, resume: Bool = false) throws {
    struct Arguments: Encodable {
      var uri: String
      var resume: Bool
    }
    try qmp.execute("migrate", arguments: Arguments(uri: uri, resume: resume))
  }

  func listen(at uri: String) throws {
    try qmp.execute("migrate-incoming", arguments: ["uri": uri])
  }

  func waitUntilReady() {
    // The guest needs a moment to fill its memory.
    while memory.word(UInt32.self, at: Firmware.readyAddress) != Firmware.readyWord {
      usleep(20_000)
    }
  }
}
