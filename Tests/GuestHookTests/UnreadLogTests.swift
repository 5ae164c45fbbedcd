import Foundation
import Glibc
import Testing

@testable import Guardian

/// A guardian whose log goes to a pipe that is full.
struct UnreadLogTests {
  @Test func itEndsWhenItIsToldToThoughNobodyReadsItsLog() throws {
    let log = Pipe()
    let number = log.fileHandleForWriting.fileDescriptor
    #expect(fcntl(number, F_SETFL, O_NONBLOCK) == 0)
    let byte = [UInt8](repeating: 0, count: 1)
    // The array is alive during the call.
    while unsafe write(number, byte, 1) == 1 {}
    #expect(fcntl(number, F_SETFL, 0) == 0)
    let socket = "\(P_tmpdir)/leafcutter-unread-\(UUID().uuidString.prefix(8))"
    // The path is alive during the call.
    defer { unsafe unlink(socket) }
    let guardian = Process()
    guardian.executableURL = URL(fileURLWithPath: GuardianFixture.executable)
    guardian.arguments = ["run", "--socket", socket, "--log-level", "trace"]
    guardian.standardError = log
    try guardian.run()
    #expect(eventually { FileManager.default.fileExists(atPath: socket) })
    kill(guardian.processIdentifier, SIGTERM)
    #expect(eventually { !guardian.isRunning })
    kill(guardian.processIdentifier, SIGKILL)
    guardian.waitUntilExit()
    #expect(guardian.terminationReason == .exit && guardian.terminationStatus == 0)
  }
}
