import Foundation
import Testing

@testable import Guardian

/// What `leafcutter-guest run` takes.
struct FlagTests {
  @Test func moreThreadsThanADatabaseTakesAreRefused() throws {
    // What is well formed ends with a socket that cannot be made.
    #expect(try run("16").status == 2)
    let (status, text) = try run("17")
    #expect(status == 64 && text.contains("--evict-threads takes 1 to 16"), "\(text)")
    #expect(try run("0").status == 64)
  }

  private func run(_ threads: String) throws -> (status: Int32, text: String) {
    let guardian = Process()
    let complaints = Pipe()
    guardian.executableURL = URL(fileURLWithPath: GuardianFixture.executable)
    guardian.arguments = ["run", "--evict-threads", threads, "--socket", "/proc/nowhere/socket"]
    guardian.standardError = complaints
    try guardian.run()
    // One that takes the flag, and finds a socket all the same, ends only when it is told to.
    let process = guardian.processIdentifier
    let end = DispatchWorkItem { kill(process, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 30, execute: end)
    defer { end.cancel() }
    let text = complaints.fileHandleForReading.readDataToEndOfFile()
    guardian.waitUntilExit()
    return (guardian.terminationStatus, String(decoding: text, as: UTF8.self))
  }
}
