import Glibc
import Testing

@testable import Guardian

/// What the hold library says of the program's own reads.
@Suite(.serialized)
struct ReadTimeTests {
  @Test("reads are timed only while that is on, and not those of a thread that reads apart")
  func times() throws {
    let library = try HoldLibraryInProcess()
    let file = try Descriptor(opening: "/proc/self/exe", O_RDONLY)
    let before = library.readTimes
    #expect(library.read(file) == 8)
    #expect(library.readTimes == before)
    library.timeReads(true)
    for _ in 0..<3 { #expect(library.read(file) == 8) }
    library.readApart(true)
    #expect(library.read(file) == 8)
    library.readApart(false)
    library.timeReads(false)
    let after = library.readTimes
    #expect(after[0] == before[0] + 3 && after[1] == before[1] + 3)
    #expect(after[2] > before[2])
  }

  /// Two databases in one program, each of which reads its cache back.
  @Test("reads are timed until the last who wanted it wants it no more")
  func severalUsers() throws {
    let library = try HoldLibraryInProcess()
    let file = try Descriptor(opening: "/proc/self/exe", O_RDONLY)
    for _ in 0..<2 { library.timeReads(true) }
    library.timeReads(false)
    let before = library.readTimes
    #expect(library.read(file) == 8)
    #expect(library.readTimes[1] == before[1] + 1)
    library.timeReads(false)
    #expect(library.read(file) == 8)
    #expect(library.readTimes[1] == before[1] + 1)
  }

  @Test("a read that fails is timed too, and keeps its errno")
  func failure() throws {
    let library = try HoldLibraryInProcess()
    library.timeReads(true)
    defer { library.timeReads(false) }
    let before = library.readTimes
    errno = 0
    #expect(library.read(Descriptor(owning: -1)) == -1)
    #expect(errno == EBADF)
    #expect(library.readTimes[1] == before[1] + 1)
  }
}
