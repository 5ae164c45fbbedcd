import Glibc

/// Where the guest's script for `make torture` takes orders and keeps what the memory verifiers say
/// (qemu-config/guest/torture): a named pipe `faults`, and files `memory.N`.
public struct TortureDirectory: Sendable {
  private let path: String

  public init(path: String) { self.path = path }

  /// Has a fault carried out, soon and not by this process, which may be what it is about.
  ///
  /// - Throws: ``SystemError`` where nobody takes orders.
  func order(_ fault: String) throws(SystemError) {
    let pipe = "\(path)/faults"
    // The path and the bytes are alive during the calls.
    let descriptor = unsafe open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(pipe)") }
    defer { close(descriptor) }
    let line = Array("\(fault)\n".utf8)
    guard unsafe write(descriptor, line, line.count) == line.count else {
      throw SystemError("write to \(pipe)")
    }
  }

  /// The sum of what all verifiers of this boot have said; the passes are the first one's, who runs on.
  ///
  /// - Throws: ``SystemError`` where there is none.
  func memory() throws(SystemError) -> MemoryTally {
    guard var sum = TallyFile.read("\(path)/memory.0") else {
      throw SystemError("read \(path)/memory.0")
    }
    var number = 1
    while let tally = TallyFile.read("\(path)/memory.\(number)") {
      sum.pages += tally.pages
      sum.checked += tally.checked
      sum.corrupted += tally.corrupted
      number += 1
    }
    return sum
  }
}
