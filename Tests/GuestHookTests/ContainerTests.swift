import CGuestSystem
import Foundation
import Glibc
import Testing

@testable import Guardian

/// A database in a container, whose files have other paths here.
@Suite(.enabled(if: geteuid() == 0)) struct ContainerTests {
  @Test func thePageCacheOfADatabaseWithAnotherRootIsDroppedThere() throws {
    let fixture = try GuardianFixture()
    let home = fixture.directory + "/home"
    let bytes = [UInt8](repeating: 42, count: 1 << 20)
    // The path and the array are alive during the calls.
    let file = Descriptor(owning: unsafe open(home + "/leaves.wt", O_RDWR | O_CREAT, 0o600))
    #expect(unsafe write(file.number, bytes, bytes.count) == bytes.count)

    let container = Process()
    let output = Pipe()
    container.executableURL = URL(fileURLWithPath: "/usr/bin/perl")
    container.arguments = ["-e", "chroot shift; $| = 1; print 1; sleep 100", fixture.directory]
    container.standardOutput = output
    try container.run()
    defer { kill(container.processIdentifier, SIGKILL) }
    #expect(output.fileHandleForReading.availableData == Data([UInt8(ascii: "1")]))

    let path = Database.path(of: "/home", in: container.processIdentifier)
    #expect(path == "/proc/\(container.processIdentifier)/root/home")
    var cache = PageCache()
    cache.drop(below: path) { false }
    #expect(cache.files == 1)
    // Who has the same root has the same path.
    #expect(Database.path(of: home, in: getpid()) == home)
    #expect(Database.path(of: "/nowhere", in: getpid()) == "/nowhere")
  }
}
