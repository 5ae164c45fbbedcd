import Foundation
import StreamProxy

/// A QEMU program that migrations are tried with.
public struct QEMURelease: Sendable, CustomStringConvertible {
  /// Major and minor only.
  public var number: QEMUVersion
  var program: String
  /// Where its firmware files are; nil for an installed one, which knows.
  var dataDirectories: [String] = []

  /// Emulation damages the memory of a running guest that this release migrates, without any proxy: 7.2's,
  /// not 10.0's. Of those between nothing is known.
  public var damagesRunningGuests: Bool { number < QEMUVersion(major: 10, minor: 0) }

  /// As the tables show it.
  public var version: String { number.machineVersion }

  var arguments: [String] { dataDirectories.flatMap { ["-L", $0] } }

  /// QEMU 10.0 of bookworm-backports, or the program that LEAFCUTTER_QEMU names.
  public static let installed: QEMURelease = {
    if let named = ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"], named.hasPrefix("/") {
      do {
        return try QEMURelease(program: named)
      } catch {
        fatalError("LEAFCUTTER_QEMU: \(error)")
      }
    }
    let program = "/usr/bin/qemu-system-x86_64"
    // Where none is installed nothing is tried with it.
    return (try? QEMURelease(program: program))
      ?? QEMURelease(number: QEMUVersion(major: 10, minor: 0), program: program)
  }()

  /// The installed one, and Debian 12's where it has been unpacked (in LEAFCUTTER_STATE, or `.lab`).
  public static let available: [QEMURelease] = {
    let state = ProcessInfo.processInfo.environment["LEAFCUTTER_STATE"] ?? ".lab"
    return [installed] + [try? bookworm(in: state)].compactMap(\.self)
  }()

  public var description: String { "QEMU \(version)" }

  /// Debian 12's own, as qemu-config/setup has unpacked it.
  public static func bookworm(in state: String) throws -> QEMURelease {
    let root = "\(state)/qemu-bookworm/usr"
    let release = QEMURelease(
      number: QEMUVersion(major: 7, minor: 2), program: "\(root)/bin/qemu-system-x86_64",
      dataDirectories: ["share/qemu", "share/seabios", "lib/ipxe/qemu"].map { "\(root)/\($0)" })
    guard FileManager.default.isExecutableFile(atPath: release.program) else {
      throw LabError("QEMU 7.2 is not at \(release.program); qemu-config/setup unpacks it there")
    }
    return release
  }

  private init(number: QEMUVersion, program: String, dataDirectories: [String] = []) {
    (self.number, self.program, self.dataDirectories) = (number, program, dataDirectories)
  }

  /// Any program that finds its own firmware; it is asked for its version.
  public init(program: String) throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["--version"]
    process.standardOutput = output
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard let match = try? /QEMU emulator version (\d+)\.(\d+)/.firstMatch(in: said),
      let major = Int(match.1), let minor = Int(match.2)
    else { throw LabError("\(program) --version names no version of QEMU: \(said)") }
    self.init(number: QEMUVersion(major: major, minor: minor), program: program)
  }
}

extension QEMUVersion {
  /// As the newest machine type of a release is called: `10.0`.
  var machineVersion: String { "\(major).\(minor)" }
}
