import CGuestSystem
import Foundation
import HookLink
import Testing

@testable import Guardian

/// A database's memory is opened when its ring is taken: later its process may run another program, whose frames
/// nobody holds.
@Suite(.serialized)
struct DatabaseMemoryTests {
  @Test("it is open from when the ring is taken until nothing is held")
  func openWithTheRing() throws {
    let fixture = try GuardianFixture()
    let (first, second) = (try fixture.database(), try fixture.database())
    let id = MigrationID.random()
    fixture.proxy.prepare(id)
    #expect(first.holdWhenAsked())
    let files = ["/proc/\(getpid())/mem", "/proc/\(getpid())/pagemap"]
    func open() -> [String] {
      fixture.openFiles(of: fixture.guardian.pid).filter(files.contains).sorted()
    }
    // Long before the report, for which the guardian waits for the other one.
    #expect(eventually { open() == files })
    #expect(second.holdWhenAsked())
    #expect(fixture.proxy.awaitPagesHeld() == 4096)
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: id)
    #expect(first.awaitMessage() == .release(.init()))
    #expect(eventually { open() == [] })
  }

  @Test("of a process that runs another program by now nothing is read or written")
  func anotherProgram() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "read go; exec sleep 60"]
    let input = Pipe()
    process.standardInput = input
    try process.run()
    defer { process.terminate() }
    let name = "/proc/\(process.processIdentifier)"
    #expect(eventually { SmallFile.read(name + "/comm") == "sh\n" })
    let life = Descriptor(owning: leafcutter_guest_pidfd_open(process.processIdentifier))
    let memory = try HeldMemoryFile(of: process.processIdentifier, life)
    try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8))
    #expect(eventually { SmallFile.read(name + "/comm") == "sleep\n" })
    // The program that runs now has it, and could be made to lose what is there.
    let maps = SmallFile.read(name + "/maps") ?? ""
    let stack = try #require(maps.split(separator: "\n").first { $0.hasSuffix("[stack]") })
    let end = try #require(stack.split(separator: " ").first?.split(separator: "-").last)
    let page = LocalMessage.AddressRange(
      address: try #require(UInt64(end, radix: 16)) - 4096, length: 4096)
    var frames = FrameSet()
    var candidates = ProbeCandidates([FakeProxy.allMemory])
    var reader = PagemapReader(memory)
    #expect(throws: SystemError.self) {
      try reader.read(page, of: 0, into: &frames, &candidates)
    }
    #expect(throws: SystemError.self) { try memory.erase([page]) }
    #expect(frames.count == 0 && process.isRunning)
  }
}
