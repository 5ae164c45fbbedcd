import Foundation

/// A directory of its own for a test, removed with all that is in it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    // A socket's path may have no more than 107 characters, hence the short name.
    let name = "store-\(UUID().uuidString.prefix(8))"
    path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
