import Glibc

/// Relays the return path, destination to source, at once and untouched: the source trusts what it
/// says (PONG, page requests, SHUT).
struct ReturnPath: Sendable {
  let destination: Socket
  let source: Socket
  /// Said to the source after everything that the destination has said.
  var lastWord: @Sendable () -> [UInt8] = { [] }

  /// Told what SHUT says.
  var heardShut: @Sendable (UInt32) -> Void = { _ in }

  /// Relays until the destination ends its side, then passes the end on: a source that waits for
  /// SHUT from a destination that died would wait for ever, its guest stopped.
  func relayUntilEnd() {
    var reader = ReturnPathReader()
    unsafe withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { buffer in
      while true {
        // The buffer lives in this closure; only what was read is written.
        guard let count = try? unsafe destination.read(into: buffer), count > 0 else { break }
        let relayed: Void? = try? unsafe source.writeAll(
          UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        // Believed where the source has not read it, too.
        unsafe reader.read(buffer[..<count])
        if let shut = reader.shut { heardShut(shut) }
        if relayed == nil { break }
      }
    }
    try? source.writeAll(lastWord())
    source.shutDownWriting()
  }
}
