import Foundation
import Glibc
import HookLink
import Testing

@testable import Guardian

@Suite(.serialized) struct DescriptorShortageTests {
  @Test func aGuardianWithoutADescriptorToSpareWaitsAndTakesWhoeverComesWhenItHasOne() throws {
    let fixture = try GuardianFixture()
    let first = try fixture.database()
    // When it has closed those of the clients that asked for the database.
    var taken: Set<Int> = []
    let isQuiet = eventually {
      let before = taken
      usleep(200_000)
      taken = descriptors(of: fixture.guardian.pid)
      return taken == before
    }
    try #require(isQuiet)
    let free = try #require((0..<1024).first { !taken.contains($0) })
    try limitDescriptors(of: fixture.guardian.pid, to: free)
    let second = try FakeDatabase(socket: fixture.socket, home: fixture.directory + "/home")
    let before = try ticks(of: fixture.guardian.pid)
    usleep(1_500_000)
    // Of a hundred in a second.
    #expect(try ticks(of: fixture.guardian.pid) - before < 20)
    #expect(descriptors(of: fixture.guardian.pid) == taken)
    try limitDescriptors(of: fixture.guardian.pid, to: 1024)
    #expect(try databases(of: fixture, atLeast: 2) == 2)
    withExtendedLifetime((first, second)) {}
  }

  private func descriptors(of process: pid_t) -> Set<Int> {
    Set(SmallFile.names(in: "/proc/\(process)/fd").compactMap { Int($0) })
  }

  private func limitDescriptors(of process: pid_t, to count: Int) throws {
    let limit = Process()
    limit.executableURL = URL(fileURLWithPath: "/usr/bin/prlimit")
    limit.arguments = ["--pid", "\(process)", "--nofile=\(count):1024"]
    try limit.run()
    limit.waitUntilExit()
    #expect(limit.terminationStatus == 0)
  }

  /// Processor time, user and system (proc_pid_stat(5)).
  private func ticks(of process: pid_t) throws -> Int {
    let stat = try #require(SmallFile.read("/proc/\(process)/stat"))
    let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
    return [11, 12].reduce(0) { $0 + (Int(fields[$1]) ?? 0) }
  }

  private func databases(of fixture: GuardianFixture, atLeast wanted: Int) throws -> Int {
    var count = 0
    for _ in 0..<50 where count < wanted {
      usleep(100_000)
      let client = try GuardianClient(socket: fixture.socket)
      let answer = try client.ask(LocalMessage.StatusRequest()) { _ in }
      guard case .status(let status) = answer else { continue }
      count = status.lines.count { $0.hasPrefix("database: ") }
    }
    return count
  }
}
