import Foundation

/// A QEMU program that migrations are tried with.
public struct QEMURelease: Sendable, CustomStringConvertible {
  /// As the tables show it, and as the newest machine type it has is called: `10.0`.
  public var version: String
  var program: String
  /// Where its firmware files are; nil for an installed one, which knows.
  var dataDirectories: [String] = []

  /// Emulation damages the memory of a running guest that this release migrates, without any proxy.
  public var damagesRunningGuests: Bool { version == "7.2" }

  var arguments: [String] { dataDirectories.flatMap { ["-L", $0] } }

  /// QEMU 10.0 of bookworm-backports, or the program that LEAFCUTTER_QEMU names.
  public static let installed = QEMURelease(
    version: "10.0",
    program: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"].flatMap {
      $0.hasPrefix("/") ? $0 : nil
    } ?? "/usr/bin/qemu-system-x86_64")

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
      version: "7.2", program: "\(root)/bin/qemu-system-x86_64",
      dataDirectories: ["share/qemu", "share/seabios", "lib/ipxe/qemu"].map { "\(root)/\($0)" })
    guard FileManager.default.isExecutableFile(atPath: release.program) else {
      throw LabError("QEMU 7.2 is not at \(release.program); qemu-config/setup unpacks it there")
    }
    return release
  }
}
