import Glibc

/// A small file, empty where it cannot be read.
func readText(_ path: String) -> String {
  // The path is a string for the duration of the call.
  let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return "" }
  defer { close(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 16 * 1024)
  while true {
    // The array is alive during the call, which writes at most as much as it holds.
    let count = unsafe read(file, &buffer, buffer.count)
    guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
    bytes += buffer[..<count]
  }
}

/// Replaces a file.
func writeText(_ text: String, to path: String) throws {
  // The path is a string for the duration of the call.
  let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard file >= 0 else { throw BenchError("\(path) cannot be written: \(errorText(errno))") }
  defer { close(file) }
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    // The slice is alive during the call, which reads at most as much as it holds.
    let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
    guard count > 0 else { throw BenchError("\(path) cannot be written: \(errorText(errno))") }
    rest = rest.dropFirst(count)
  }
}
