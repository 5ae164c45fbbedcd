import Glibc

/// The file in which one process writes down its ``MemoryTally``, so that it is known when that process
/// is gone. It is as long at any time, so that a reader never sees half of it.
public final class TallyFile {
  private static let length = 128
  private let descriptor: Int32

  /// - Throws: ``SystemError``, e.g. where the directory is not there.
  public init(_ path: String) throws(SystemError) {
    // The path is a string for the duration of the call.
    descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemError("make \(path)") }
    write(MemoryTally())
  }

  deinit { close(descriptor) }

  public func write(_ tally: MemoryTally) {
    var bytes = Array(tally.text.utf8.prefix(TallyFile.length - 1))
    while bytes.count < TallyFile.length - 1 { bytes.append(UInt8(ascii: " ")) }
    bytes.append(UInt8(ascii: "\n"))
    // As many bytes as the array has, alive during the call.
    _ = unsafe pwrite(descriptor, bytes, bytes.count, 0)
  }

  /// What the file at `path` says; nil where there is none or where it is none.
  static func read(_ path: String) -> MemoryTally? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: length)
    // The kernel writes at most `count` bytes.
    guard unsafe Glibc.read(descriptor, &bytes, bytes.count) == bytes.count else { return nil }
    return MemoryTally(String(decoding: bytes, as: UTF8.self))
  }
}
