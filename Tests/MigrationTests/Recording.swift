import Foundation
import Glibc
import MigrationLab

/// What the tests of recorded migrations do alike.
enum Recording {
  /// Calls `body` with a folder of its own for the records.
  static func inFolder(_ body: (String) async throws -> Void) async throws {
    let folder =
      FileManager.default.temporaryDirectory.path
      + "/lcr\(getpid())-\(UInt32.random(in: 0 ..< .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
  }

  static func bench(_ way: Way, _ release: QEMURelease) throws -> MigrationBench {
    try MigrationBench(
      way, in: MigrationSetting(source: release, destination: release), hung: Hang.end(way))
  }

  static func waitForEnd(_ source: TestMachine, _ recorder: ChannelRecorder) async throws {
    while try !source.qmp.queryMigrate().isOver || !recorder.isIdle {
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
