/// Cuts the host's bytes into lines. A line that is longer than the port allows is skipped to its end.
struct LineReader {
  private var partial: [UInt8] = []
  private var skips = false

  /// The lines that `bytes` complete, without their ends; empty ones are left out.
  mutating func add(_ bytes: [UInt8]) -> [String] {
    var lines: [String] = []
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        if !skips, partial.last == UInt8(ascii: "\r") { partial.removeLast() }
        if !skips, !partial.isEmpty { lines.append(String(decoding: partial, as: UTF8.self)) }
        clear()
      } else if partial.count < ControlPort.maximumLine {
        partial.append(byte)
      } else {
        skips = true
      }
    }
    return lines
  }

  /// Forgets an unfinished line.
  mutating func clear() {
    partial.removeAll(keepingCapacity: true)
    skips = false
  }
}
