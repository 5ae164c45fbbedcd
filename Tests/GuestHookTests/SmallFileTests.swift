import Testing

@testable import Guardian

struct SmallFileTests {
  /// The kernel gives no more than a page of it at a time; of a guest with many mounts the one that is looked for
  /// may stand further down.
  @Test func aFileOfTheKernelsIsReadBeyondItsFirstPage() throws {
    let text = try #require(SmallFile.read("/proc/self/smaps"))
    #expect(text.utf8.count == 64 * 1024)
  }
}
