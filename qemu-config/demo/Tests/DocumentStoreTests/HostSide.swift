import Glibc

@testable import DocumentStore

/// The host's end of a control port.
final class HostSide {
  private let descriptor: Int32
  private var lines = LineReader()
  private var pending: [String] = []
  private(set) var operations: [(reads: Int, writes: Int)] = []
  private(set) var beats = 0

  init(_ path: String) throws {
    descriptor = try UnixListener.connect(path)
  }

  deinit { close(descriptor) }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    // Alive during the call.
    _ = unsafe Glibc.write(descriptor, bytes, bytes.count)
  }

  /// Sends a command and gives its answer, or nil after 60 s.
  func ask(_ command: String) -> String? {
    write("\(command)\n")
    let limit = MonotonicClock.now + 60_000_000_000
    while MonotonicClock.now < limit {
      readLines(for: 10)
      if !pending.isEmpty { return pending.removeFirst() }
    }
    return nil
  }

  func readLines(for milliseconds: UInt64) {
    let limit = MonotonicClock.now + milliseconds * 1_000_000
    repeat {
      var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      // One element, alive during the call.
      guard unsafe poll(&item, 1, 10) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 65536)
      // The kernel writes at most `count` bytes.
      let count = unsafe read(descriptor, &buffer, buffer.count)
      guard count > 0 else { return }
      for line in lines.add(Array(buffer[..<count])) { sort(line) }
    } while MonotonicClock.now < limit
  }

  private func sort(_ line: String) {
    let words = line.split(separator: " ")
    switch words.first {
    case "beat": beats += 1
    case "ops": operations.append((Int(words[2]) ?? 0, Int(words[3]) ?? 0))
    default: pending.append(line)
    }
  }
}
