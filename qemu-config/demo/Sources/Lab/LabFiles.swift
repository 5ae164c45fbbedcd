import FoundationEssentials
import Glibc

/// Where one process that uses the laboratory keeps its files.
///
/// Sockets lie in a directory with a short path, because a unix socket's address has 107 bytes; logs
/// lie beside the state that `qemu-config/setup` made.
public struct LabFiles: Sendable {
  public let sockets: String
  public let logs: String
  /// Large files: images.
  public let scratch: String

  /// Makes the directories. They go when ``Cleanup/run()`` is called, the logs only when asked.
  ///
  /// - Parameter state: what `qemu-config/setup` calls $LEAFCUTTER_STATE.
  public init(state: String, keepsLogs: Bool) throws(LabError) {
    Leftovers.remove(state: state)
    let process = getpid()
    sockets = "/run/\(LabFiles.socketsPrefix)\(process)"
    logs = "\(state)/logs/\(process)"
    scratch = "\(state)/scratch/\(process)"
    for directory in [sockets, logs, scratch] { try LabFiles.makeDirectory(directory) }
    let temporary = keepsLogs ? [sockets, scratch] : [sockets, scratch, logs]
    _ = Cleanup.add {
      for directory in temporary { try? FileManager.default.removeItem(atPath: directory) }
    }
  }

  static let socketsPrefix = "leafcutter-lab."

  static func makeDirectory(_ path: String) throws(LabError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw LabError("cannot make the directory \(path): \(error)")
    }
  }

  /// The last lines of a text file with its name in front, for an error; nil where there are none.
  static func tail(of path: String, lines: Int = 12) -> String? {
    guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else { return nil }
    let text = String(decoding: data.suffix(16_384), as: UTF8.self)
    let last = text.split(whereSeparator: \.isNewline).suffix(lines)
    return "--- \(path)\n" + last.joined(separator: "\n")
  }
}
