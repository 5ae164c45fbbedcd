import Foundation
import Testing

/// Which signals the extension's threads leave to the program.
struct SignalMaskTests {
  /// A program's own code runs on them: collators, compressors, file systems; and a program may mend a fault
  /// of its own in a handler.
  @Test func theExtensionsThreadsTakeTheirOwnFaultsAndNothingElse() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 100))
    defer { database.remove() }
    try guardian.prepare()
    _ = try guardian.prepared()
    // The control thread, and the one that watches the small cache.
    let masks = try blockedSignals(of: database)
    #expect(masks.count == 2)
    let faults = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS]
    for mask in masks {
      for signal: Int32 in 1..<32 where signal != SIGKILL && signal != SIGSTOP {
        #expect((mask >> (signal - 1) & 1 == 0) == faults.contains(signal), "signal \(signal)")
      }
    }
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  /// SigBlk of proc(5), one for each thread.
  private func blockedSignals(of database: DatabaseProcess) throws -> [UInt64] {
    let threads = "/proc/\(database.identifier)/task"
    return try FileManager.default.contentsOfDirectory(atPath: threads).compactMap { thread in
      let path = "\(threads)/\(thread)/status"
      let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      guard
        lines.first?.hasSuffix("leafcutter") == true
          || lines.first?.hasSuffix("leafcutter-room") == true
      else { return nil }
      let line = lines.first { $0.hasPrefix("SigBlk:") }
      return line.flatMap { UInt64($0.dropFirst(7).drop { $0.isWhitespace }, radix: 16) }
    }
  }
}
