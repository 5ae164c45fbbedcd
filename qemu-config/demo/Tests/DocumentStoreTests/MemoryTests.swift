import Glibc
import Testing

@testable import DocumentStore

struct MemoryTests {
  @Test func memoryThatNobodyTouchesIsNeverCorrupted() {
    let memory = WatchedMemory(seed: 1)
    for _ in 0..<3 { #expect(memory.grow()) }
    for _ in 0..<7 {
      memory.check(3)
      memory.renew()
    }
    #expect(memory.tally.pages == 768)
    #expect(memory.tally.passes == 7)
    #expect(memory.tally.checked == 7 * 4 * 256)
    #expect(memory.tally.corrupted == 0)
  }

  @Test func aPageWithOneWrongBitIsCorrupted() {
    let memory = WatchedMemory(seed: 1)
    #expect(memory.grow())
    memory.damageFirstPage()
    memory.check(1)
    #expect(memory.tally.corrupted == 1)
    // Seen again before it is given back, and then no more.
    memory.renew()
    memory.check(1)
    #expect(memory.tally.corrupted == 2)
  }

  @Test func whatEveryVerifierOfABootHasSeenIsAddedUp() throws {
    let directory = TemporaryDirectory()
    let torture = TortureDirectory(path: directory.path)
    #expect(throws: SystemError.self) { try torture.memory() }
    var tally = MemoryTally()
    (tally.pages, tally.checked, tally.passes, tally.corrupted) = (10, 30, 3, 1)
    try TallyFile("\(directory.path)/memory.0").write(tally)
    (tally.checked, tally.passes, tally.corrupted) = (UInt64.max / 4, 9, 2)
    let file = try TallyFile("\(directory.path)/memory.1")
    file.write(tally)
    tally.checked = 5
    file.write(tally)
    let sum = try torture.memory()
    #expect(sum.text == "pages=20 checked=35 passes=3 corrupted=3")
  }

  @Test func anOrderWithoutAnybodyWhoTakesItIsRefused() throws {
    let directory = TemporaryDirectory()
    let torture = TortureDirectory(path: directory.path)
    #expect(throws: SystemError.self) { try torture.order("panic") }
    // The paths are strings for the duration of the calls.
    #expect(unsafe mkfifo("\(directory.path)/faults", 0o600) == 0)
    #expect(throws: SystemError.self) { try torture.order("panic") }
    let reader = unsafe open("\(directory.path)/faults", O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try torture.order("kill-database")
    var bytes = [UInt8](repeating: 0, count: 64)
    // The kernel writes at most `count` bytes.
    let count = unsafe read(reader, &bytes, bytes.count)
    #expect(String(decoding: bytes[..<max(0, count)], as: UTF8.self) == "kill-database\n")
  }

  @Test func theNameOfAFaultIsOneWord() throws {
    #expect(try ControlCommand(line: "fault fill-disk") == .fault("fill-disk"))
    for line in ["fault", "fault a b", "fault $(reboot)", "memory now"] {
      #expect(throws: ControlCommand.Refusal.self) { try ControlCommand(line: line) }
    }
  }
}
